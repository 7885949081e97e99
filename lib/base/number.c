/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/number.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int parse_leading_integer(const char *text, int64_t *ret_value, const char **ret_rest)
{
    char *end = NULL;
    long long value;

    if (!isdigit((unsigned char)text[0]) &&
        !((text[0] == '-' || text[0] == '+') && isdigit((unsigned char)text[1])))
        return -1;
    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno != 0)
        return -1;
    *ret_value = value;
    *ret_rest = end;
    return 0;
}

int ra_number_parse_integer(const char *text, int64_t *ret_value)
{
    const char *rest;
    int64_t value;

    if (parse_leading_integer(text, &value, &rest) != 0 || *rest != '\0')
        return -1;
    *ret_value = value;
    return 0;
}

int ra_number_parse_boolean(const char *text, bool *ret_value)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {
        { "1", true },   { "true", true }, { "yes", true },  { "y", true },
        { "on", true },  { "ja", true },   { "0", false },   { "false", false },
        { "no", false }, { "n", false },   { "off", false }, { "nein", false },
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcasecmp(text, words[i].word) == 0) {
            *ret_value = words[i].value;
            return 0;
        }
    return -1;
}

int ra_number_parse_duration(const char *text, int64_t *ret_ms)
{
    static const struct {
        const char *unit;
        int64_t us;
    } units[] = {
        { "", 1000000 },     { "s", 1000000 },    { "sec", 1000000 },   { "ms", 1000 },
        { "msec", 1000 },    { "us", 1 },         { "usec", 1 },        { "m", 60000000 },
        { "min", 60000000 }, { "h", 3600000000 }, { "hr", 3600000000 },
    };
    const char *unit;
    int64_t value;

    if (!isdigit((unsigned char)text[0]) || parse_leading_integer(text, &value, &unit) != 0)
        return -1;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcasecmp(unit, units[i].unit) != 0)
            continue;
        if (value > (INT64_MAX - 999) / units[i].us)
            return -1;
        *ret_ms = (value * units[i].us + 999) / 1000;
        return 0;
    }
    return -1;
}

static int hex_digit(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *hit;

    if (digit == '\0')
        return -1;
    hit = strchr(digits, tolower((unsigned char)digit));
    return hit == NULL ? -1 : (int)(hit - digits);
}

int ra_number_parse_hex(const char *text, unsigned char *ret_bytes, unsigned most_bytes,
                        unsigned *ret_count_bytes)
{
    size_t digits;

    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        text += 2;
    digits = strlen(text);
    if (digits == 0 || digits % 2 != 0 || digits / 2 > most_bytes)
        return -1;
    for (size_t i = 0; i < digits; i++)
        if (hex_digit(text[i]) < 0)
            return -1;
    for (size_t i = 0; i < digits / 2; i++)
        ret_bytes[i] = (unsigned char)(hex_digit(text[2 * i]) * 16 + hex_digit(text[2 * i + 1]));
    *ret_count_bytes = (unsigned)(digits / 2);
    return 0;
}
