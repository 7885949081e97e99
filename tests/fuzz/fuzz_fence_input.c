/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The lines that the fencer, or anybody with a pipe, gives to a fence agent. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "runtime/fence.h"
#include "runtime/fence_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct config {
    struct ra_fence_config common;
    const char *text;
    int64_t number;
    int64_t duration_ms;
    int word;
    const char *secret;
};

static const char *const words[] = { "onoff", "cycle", NULL };

static const struct ra_param rows[] = {
    RA_FENCE_PARAMS(struct config, common),
    { .name = "ip", RA_FIELD_STRING(struct config, text), .old_names = { "ipaddr" } },
    { .name = "ipport",
      RA_FIELD_INTEGER(struct config, number),
      .default_text = "623",
      .least = 1,
      .most = 65535 },
    { .name = "power_timeout",
      RA_FIELD_DURATION(struct config, duration_ms),
      .default_text = "20",
      .least = 1000,
      .most = 3600000 },
    { .name = "method",
      RA_FIELD_SELECT(struct config, word),
      .choices = words,
      .default_text = "onoff" },
    { .name = "password",
      RA_FIELD_STRING(struct config, secret),
      .flags = RA_PARAM_SECRET,
      .old_names = { "passwd" } },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ra_param_table table = RA_PARAMS(rows);
    char *text = malloc(size + 1);
    struct config config = { .text = NULL };
    const char *node = "";
    struct ra_error err = { 0 };

    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    ra_param_set_defaults(&table, &config);
    if (ra_fence_input_lines(&table, text, &config, &node, &err) == 0) {
        assert(config.number >= 1 && config.number <= 65535);
        assert(config.duration_ms >= 1000 && config.duration_ms <= 3600000);
        assert(config.word == 0 || config.word == 1);
        assert(node != NULL);
    } else {
        assert(err.kind == RA_ERROR_CONFIG && err.text[0] != '\0');
        assert(strpbrk(err.text, "\n\r") == NULL);
    }
    ra_param_wipe_secrets(&table, &config);
    free(text);
    return 0;
}
