/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parameters of fence_ipmi that have a form of their own: the map in ip, keys, slave addresses. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../fence/ipmi/plugs.h"
#include "../../fence/ipmi/target.h"
#include "base/text.h"
#include "ipmi/workaround.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ra_ipmi_backend backend = { .workaround_parse = ra_ipmi_workaround_parse };

/* The input is cut at newlines: ip, plug, hexadecimal_kg, target, workaround_flags, node. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    char *rest = text;
    const char *parts[6] = { NULL };
    struct ra_error err = { 0 };
    struct target target;
    struct ipmi_config config = { .plug_separator = ",",
                                  .cipher = RA_PARAM_UNSET,
                                  .auth = -1,
                                  .privlvl = 3,
                                  .lanplus = true,
                                  .retransmission_ms = RA_PARAM_UNSET };

    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    for (size_t i = 0; i < 6 && rest != NULL; i++)
        parts[i] = strsep(&rest, "\n");
    config.ip = parts[0];
    config.plug = parts[1];
    config.hexadecimal_kg = parts[2];
    config.target = parts[3];
    config.workaround_flags = parts[4];
    ra_text_list_free(plugs_known(&config));
    ra_text_list_free(plugs_claimed(&config));
    if (plugs_check_node(&config, parts[5] == NULL ? "" : parts[5], &err) != 0)
        assert(err.kind == RA_ERROR_CONFIG && err.text[0] != '\0');
    if (target_make(&backend, &config, parts[1], false, ra_deadline_after_ms(1000), &target,
                    &err) == 0) {
        assert(target.options.addresses != NULL);
        assert(!target.options.bridged || target.options.target > 0);
        target_free(&target);
    } else {
        assert(err.kind == RA_ERROR_CONFIG && err.text[0] != '\0');
    }
    free(text);
    return 0;
}
