#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A UDP relay that misbehaves on request, between a fence agent and a BMC.

The real parts on both sides stay real; the relay only does to packets what networks and BMCs do and
what a simulator on the loopback interface never will: it delays, loses, repeats and swallows them,
delivers old ones again, and slips in packets that belong to somebody else's session.

As a program: udp_relay.py LISTEN_PORT BMC_PORT [name=value ...], the values being those of Faults.
"""

import dataclasses
import random
import selectors
import socket
import sys
import threading
import time

BUFFER_BYTES = 2048


@dataclasses.dataclass
class Faults:
    """What is done to packets; may be changed while the relay runs."""

    # A slow BMC, or a long way to it: seconds added to each reply.
    delay_s: float = 0.0
    # An overloaded one: up to so many seconds more, different for each reply, so that they overtake
    # each other and come after the request was sent again.
    jitter_s: float = 0.0
    # A bad network: the share of packets lost, each way.
    loss: float = 0.0
    # A switch loop or a retransmitting link: how many extra copies of each packet arrive.
    copies: int = 0
    # A BMC that has hung, or lost its power: swallow everything, or everything after N requests.
    silent: bool = False
    silent_after: int = -1
    # Swallow this many replies that follow a request containing the bytes, then go on.
    lose_replies_to: bytes = b""
    lose_replies: int = 0
    # A BMC that serves several consoles behind one address: replies of other sessions slip in.
    foreign: bool = False
    # Replies arrive damaged: this share of them has one byte changed.
    damage: float = 0.0
    seed: int = 1


class Relay:
    """Runs in a thread. `requests` holds every request that came in, in order, with its time.

    `edit`, if given, is called with the last request and each reply and returns what is delivered
    instead, or None for nothing.
    """

    def __init__(self, bmc, faults=None, listen=("127.0.0.1", 0), edit=None):
        self.faults = faults or Faults()
        self.edit = edit
        self.requests = []
        self.replies = []
        self.random = random.Random(self.faults.seed)
        self.bmc = bmc
        self.front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.front.bind(listen)
        self.port = self.front.getsockname()[1]
        self.backs = {}  # the client's address -> a socket of its own towards the BMC
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.front, selectors.EVENT_READ, None)
        self.queue = []  # (due, socket, packet, address)
        self.wakeup = socket.socketpair()
        self.selector.register(self.wakeup[0], selectors.EVENT_READ, None)
        self.ending = False
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def close(self):
        self.ending = True
        self.wakeup[1].send(b"x")
        self.thread.join()
        for each in (self.front, *self.wakeup, *self.backs.values()):
            each.close()
        self.selector.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def serve(self):
        while not self.ending:
            now = time.monotonic()
            due = [entry for entry in self.queue if entry[0] <= now]
            self.queue = [entry for entry in self.queue if entry[0] > now]
            for _, via, packet, address in due:
                self.transmit(via, packet, address)
            wait = min((entry[0] for entry in self.queue), default=now + 1) - now
            for key, _ in self.selector.select(max(wait, 0)):
                if key.fileobj is self.front:
                    self.take_request()
                elif key.fileobj is not self.wakeup[0]:
                    self.take_reply(key.fileobj, key.data)

    @staticmethod
    def transmit(via, packet, address):
        try:
            via.sendto(packet, address) if address else via.send(packet)
        except OSError:
            pass  # the other side has gone: for UDP that is a lost packet

    def back_of(self, client):
        if client not in self.backs:
            back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            back.connect(self.bmc)
            self.backs[client] = back
            self.selector.register(back, selectors.EVENT_READ, client)
        return self.backs[client]

    def take_request(self):
        packet, client = self.front.recvfrom(BUFFER_BYTES)
        self.requests.append((time.monotonic(), packet))
        faults = self.faults
        if faults.silent or 0 <= faults.silent_after < len(self.requests):
            return
        if self.random.random() < faults.loss:
            return
        for _ in range(1 + faults.copies):
            self.transmit(self.back_of(client), packet, None)

    def take_reply(self, back, client):
        try:
            packet = back.recv(BUFFER_BYTES)
        except OSError:
            return  # the port behind is closed: nothing to relay
        faults = self.faults
        request = self.requests[-1][1] if self.requests else b""
        if faults.lose_replies > 0 and faults.lose_replies_to in request:
            faults.lose_replies -= 1
            return
        if faults.silent or self.random.random() < faults.loss:
            return
        if self.edit is not None:
            packet = self.edit(request, packet)
            if packet is None:
                return
        if self.random.random() < faults.damage:
            at = self.random.randrange(len(packet))
            packet = packet[:at] + bytes([packet[at] ^ (1 << self.random.randrange(8))]) + packet[at + 1:]
        self.replies.append(packet)
        due = time.monotonic() + faults.delay_s + self.random.random() * faults.jitter_s
        if faults.foreign:
            self.queue.append((due, self.front, of_another_session(packet), client))
        for _ in range(1 + faults.copies):
            self.queue.append((due, self.front, packet, client))


def of_another_session(packet):
    """The packet as another session would have it: RMCP+ has the session's id at 6, IPMI 1.5 at 9."""
    at = 6 if len(packet) > 9 and packet[4] == 0x06 else 9
    return packet[:at] + bytes(byte ^ 0x5A for byte in packet[at:at + 4]) + packet[at + 4:]


# --- IPMI 2.0 packets, as far as a BMC's answers have to be changed to be those of another BMC ------

OPEN_SESSION_RESPONSE, RAKP_2, RAKP_4 = 0x11, 0x13, 0x15


def payload_type(packet):
    """None for a packet that is not IPMI 2.0."""
    return packet[5] & 0x3F if len(packet) > 16 and packet[4] == 0x06 else None


def with_status(kind, status):
    """An edit: the RMCP+ message `kind` carries this status code (IPMI 2.0, table 13-15)."""
    def edit(_, packet):
        if payload_type(packet) != kind:
            return packet
        # A refusal ends after the console's session id: the rest is not there (13.18, 13.21).
        payload = bytes([packet[16], status]) + packet[18:24]
        return packet[:14] + len(payload).to_bytes(2, "little") + payload
    return edit


def message_of(packet):
    """The IPMI message in an IPMI 2.0 packet that is neither encrypted nor signed (suite 1), or None."""
    if payload_type(packet) != 0 or packet[5] & 0xC0:
        return None
    return packet[16:16 + int.from_bytes(packet[14:16], "little")]


def with_reply(net_fn, command, completion_code, data=b""):
    """An edit: the BMC answers this command so. Only with cipher suite 1, which signs nothing."""
    def edit(_, packet):
        message = message_of(packet)
        if not message or message[1] >> 2 != net_fn + 1 or message[5] != command:
            return packet
        body = message[3:6] + bytes([completion_code]) + data
        message = message[:3] + body + bytes([-sum(body) & 0xFF])
        return packet[:14] + len(message).to_bytes(2, "little") + message
    return edit


def with_data(net_fn, command, change):
    """An edit: `change` is given the data of the BMC's good answer and returns what it becomes."""
    def edit(request, packet):
        message = message_of(packet)
        if not message or message[1] >> 2 != net_fn + 1 or message[5] != command or message[6]:
            return packet
        return with_reply(net_fn, command, 0, change(message[7:-1]))(request, packet)
    return edit


def all_of(*edits):
    def edit(request, packet):
        for each in edits:
            packet = each(request, packet)
        return packet
    return edit


def main():
    listen, bmc, *settings = sys.argv[1:]
    faults = Faults()
    for setting in settings:
        name, value = setting.split("=", 1)
        kind = type(getattr(faults, name))
        setattr(faults, name, value.encode() if kind is bytes else kind(float(value)))
    relay = Relay(("127.0.0.1", int(bmc)), faults, ("127.0.0.1", int(listen)))
    relay.thread.join()


if __name__ == "__main__":
    main()
