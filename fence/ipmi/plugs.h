/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which nodes a request and the parameters are about: plugs, and the map in ip that gives each of
 * them its BMC. The names are nodes', so they are compared as Pacemaker compares those: without
 * regard to case.
 *
 * The fencer sends the name of the node to be fenced as nodename. It sends it as plug too (or what
 * pcmk_host_map makes of it), unless plug stands in the device's parameters: then that is sent,
 * whichever node is to be fenced. The fencer has one name for it, plug or port (its version or
 * pcmk_host_argument says which); what stands in the parameters under the other name is sent as
 * well.
 */
#ifndef FENCE_PLUGS_H
#define FENCE_PLUGS_H

#include "base/error.h"

struct ipmi_config;

/*
 * The plugs that a request names; that the parameters know, named or not; and that the device may
 * claim: those named, if any are, else those known. NULL-terminated, freed by
 * ra_text_list_free(), never NULL. A map that is wrong gives what can be read of it.
 */
char **plugs_requested(const struct ipmi_config *config);
char **plugs_known(const struct ipmi_config *config);
char **plugs_claimed(const struct ipmi_config *config);

/*
 * Check the map, the whole of it, and that it has every plug that is named. A map that gives a node
 * two BMCs, or two nodes one, is wrong: the first that fits would be a guess. Without a map all is
 * well. For what speaks for the device: one wrong entry must not keep the other nodes from being
 * fenced. Errors: CONFIG.
 */
int plugs_check(const struct ipmi_config *config, struct ra_error *err);

/*
 * Check that no plug is named beside a map of several; for requests that carry a plug only when it
 * stands in the device's parameters. With pcmk_host_map nothing in a later request would tell that
 * it is about another node. Errors: CONFIG.
 */
int plugs_check_static(const struct ipmi_config *config, struct ra_error *err);

/*
 * Check that what is asked for `node` ("": nobody said) is not about another node: CONFIG when the
 * map has a BMC for the node, and one of the plugs named is somebody else's. A node that the map
 * does not have by this name may be there with a domain, or without one. CONFIG also when plug
 * and port name two where it matters which.
 */
int plugs_check_node(const struct ipmi_config *config, const char *node, struct ra_error *err);

/*
 * The addresses of a plug's BMC ("" or NULL: none is named), in new memory that the caller frees.
 * Errors: CONFIG, also when the plug's entry of the map is wrong or another one contradicts it.
 */
int plugs_find_addresses(const struct ipmi_config *config, const char *plug, char **ret_addresses,
                         struct ra_error *err);

#endif
