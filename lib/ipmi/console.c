/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ipmi/console.h"

#include <errno.h>
#include <fcntl.h>
#include <ipmiconsole.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "ipmi/client.h"
#include "ipmi/sink.h"
#include "ipmi/workaround.h"

enum {
    FILE_FD = 3, /* the only descriptor that the recorder keeps */
    /* The longest that a recorder outlives the action, whatever the BMC does. */
    GOODBYE_S = 5,
    THREADS = 1,
    /* libipmiconsole keeps the port in 16 bits with a sign. */
    PORT_MOST = 32767,
};

/* --- the recorder's side -----------------------------------------------------------------------*/

/* Take what is there; false at the console's end. */
static bool take(struct ra_ipmi_sink *sink, int console)
{
    char chunk[4096];
    ssize_t count = read(console, chunk, sizeof(chunk));

    if (count > 0)
        ra_ipmi_sink_keep(sink, chunk, (size_t)count);
    return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Until the end is asked for, or the console ends. */
static void record(struct ra_ipmi_sink *sink, ipmiconsole_ctx_t ctx, int end)
{
    int console = ipmiconsole_ctx_fd(ctx);
    struct pollfd fds[] = { { .fd = console, .events = POLLIN }, { .fd = end, .events = POLLIN } };

    if (fcntl(console, F_SETFL, O_NONBLOCK) != 0) {
        ra_ipmi_sink_remark(sink, "no console: ", strerror(errno));
        return;
    }
    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return;
        if (fds[0].revents != 0 && !take(sink, console)) {
            ra_ipmi_sink_remark(sink,
                                sink->established ? "the console has ended: " : "no console: ",
                                ipmiconsole_ctx_strerror(ipmiconsole_ctx_errnum(ctx)));
            return;
        }
        if (fds[1].revents != 0) {
            if (!sink->established)
                ra_ipmi_sink_remark(sink, "", "the power was off before the console was there");
            else if (!sink->spoke)
                ra_ipmi_sink_remark(sink, "", "the console was there and silent");
            return;
        }
    }
}

static ipmiconsole_ctx_t open_console(const struct ra_ipmi_session *session)
{
    const struct ra_ipmi_options *options = &session->options;
    ra_auto_free char *user = ra_text_copy(options->user);
    char *password = ra_text_copy(options->password);
    unsigned char k_g[RA_IPMI_K_G_BYTES];
    struct ipmiconsole_ipmi_config ipmi = {
        .username = user,
        .password = password,
        .k_g = options->k_g == NULL ? NULL : k_g,
        .k_g_len = options->k_g == NULL ? 0 : RA_IPMI_K_G_BYTES,
        /* Its levels count from 0, the standard's user level is 2. */
        .privilege_level = (int)options->privilege - (int)RA_IPMI_USER + IPMICONSOLE_PRIVILEGE_USER,
        .cipher_suite_id = session->suite,
        /*
         * Questions that BMCs answer wrongly, or crash at, are not asked: whether the channel has
         * consoles, and how large a payload may be.
         */
        .workaround_flags = ra_ipmi_workaround_bits_2_0(session->workarounds) |
                            IPMICONSOLE_WORKAROUND_SKIP_CHANNEL_PAYLOAD_SUPPORT |
                            IPMICONSOLE_WORKAROUND_IGNORE_SOL_PAYLOAD_SIZE,
    };
    struct ipmiconsole_protocol_config protocol = { .session_timeout_len = 0 };
    struct ipmiconsole_engine_config engine = {
        .engine_flags = IPMICONSOLE_ENGINE_OUTPUT_ON_SOL_ESTABLISHED,
        .behavior_flags = IPMICONSOLE_BEHAVIOR_ERROR_ON_SOL_INUSE,
    };
    ipmiconsole_ctx_t ctx;

    if (ipmi.privilege_level < IPMICONSOLE_PRIVILEGE_USER)
        ipmi.privilege_level = IPMICONSOLE_PRIVILEGE_USER;
    memcpy(k_g, session->k_g, sizeof(k_g));
    ctx = ipmiconsole_ctx_create(ra_ipmi_client_endpoint(session), &ipmi, &protocol, &engine);
    ra_text_wipe(password);
    free(password);
    explicit_bzero(k_g, sizeof(k_g));
    return ctx;
}

static void run_recorder(const struct ra_ipmi_session *session, size_t most_bytes, int end)
{
    struct ra_ipmi_sink sink = { .fd = FILE_FD, .left_bytes = most_bytes };
    ipmiconsole_ctx_t ctx;

    if (session->options.port > PORT_MOST) {
        ra_ipmi_sink_remark(&sink, "",
                            "no console: consoles cannot be opened at ports above 32767");
        return;
    }
    if (ipmiconsole_engine_init(THREADS, 0) != 0) {
        ra_ipmi_sink_remark(&sink, "no console: ", strerror(errno));
        return;
    }
    ctx = open_console(session);
    if (ctx == NULL) {
        ra_ipmi_sink_remark(&sink, "no console: ", strerror(errno));
        return;
    }
    if (ipmiconsole_engine_submit(ctx, NULL, NULL) != 0)
        ra_ipmi_sink_remark(&sink,
                            "no console: ", ipmiconsole_ctx_strerror(ipmiconsole_ctx_errnum(ctx)));
    else
        record(&sink, ctx, end);
    (void)alarm(GOODBYE_S);
    ipmiconsole_ctx_destroy(ctx);
    ipmiconsole_engine_teardown(1);
}

/* Keep the file and nothing else: the caller's pipes must end when the caller does. */
static bool leave_the_caller(int fd)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
        if (null < 0 || dup2(null, i) < 0)
            return false;
    return dup2(fd, FILE_FD) >= 0 && close_range(FILE_FD + 1, ~0U, 0) == 0;
}

__attribute__((noreturn)) static void be_recorder(const struct ra_ipmi_session *session, int fd,
                                                  size_t most_bytes, pid_t parent)
{
    sigset_t set;
    int end;

    ra_log_set_sink(NULL);
    (void)signal(SIGALRM, SIG_DFL);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    if (!leave_the_caller(fd))
        _exit(1);
    end = signalfd(-1, &set, SFD_CLOEXEC);
    if (end < 0 || prctl(PR_SET_PDEATHSIG, SIGTERM) != 0)
        _exit(1);
    if (getppid() == parent)
        run_recorder(session, most_bytes, end);
    _exit(0);
}

/* --- the caller's side -------------------------------------------------------------------------*/

int ra_ipmi_console_record(struct ra_ipmi_session *session, int fd, size_t most_bytes,
                           struct ra_error *err)
{
    pid_t parent = getpid();
    pid_t recorder;

    if (session->options.version_1_5)
        return ra_error_set(err, RA_ERROR_CONFIG, "IPMI 1.5 has no consoles: set lanplus=1");
    if (!session->probed || session->suite < 0)
        return ra_error_set(err, RA_ERROR_SYSTEM, "no session has been open");
    recorder = fork();
    if (recorder < 0)
        return ra_error_set_errno(err, errno, "cannot start a process for the console");
    if (recorder == 0)
        be_recorder(session, fd, most_bytes, parent);
    session->recorder = recorder;
    return 0;
}

void ra_ipmi_console_end(struct ra_ipmi_session *session)
{
    if (session->recorder > 0)
        (void)kill(session->recorder, SIGTERM);
    session->recorder = 0;
}
