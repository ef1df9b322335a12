// SPDX-License-Identifier: Apache-2.0
#include "station/app/price.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "station/base/bytes.h"

#define MILLION INT64_C(1000000)
#define WHOLE_DIGITS_MAX 9                             // of one price
#define SUM_MAX (INT64_MAX / 2 - MILLION * 1000000000) // one more price always fits

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// The number at the front of the text, in millionths. Returns what follows it, or NULL.
static const char *read_number(const char *text, int64_t *millionths, unsigned *decimals) {
    unsigned digits = 0;
    *millionths = 0;
    *decimals = 0;
    for (; is_digit(*text) && digits <= WHOLE_DIGITS_MAX; text++, digits++) {
        *millionths = *millionths * 10 + (*text - '0');
    }
    if (digits == 0 || digits > WHOLE_DIGITS_MAX) {
        return NULL;
    }
    if (*text == '.' && is_digit(text[1])) {
        for (text++; is_digit(*text) && *decimals < PRICE_DECIMALS; text++, ++*decimals) {
            *millionths = *millionths * 10 + (*text - '0');
        }
    }
    for (unsigned i = *decimals; i < PRICE_DECIMALS; i++) {
        *millionths *= 10;
    }
    return text;
}

static bool read_price(const char *text, int64_t *millionths, unsigned *decimals,
                       char currency[PRICE_CURRENCY_SIZE]) {
    const char *rest = read_number(text, millionths, decimals);
    if (rest == NULL || *rest != ' ') {
        return false;
    }
    rest += strspn(rest, " ");
    return text_copy(currency, PRICE_CURRENCY_SIZE, rest) && currency[0] != '\0' &&
           strpbrk(currency, " 0123456789.,+-") == NULL;
}

bool price_is_readable(const char *text) {
    int64_t millionths;
    unsigned decimals;
    char currency[PRICE_CURRENCY_SIZE];
    return read_price(text, &millionths, &decimals, currency);
}

void price_add(struct price_sum *sum, const char *price) {
    int64_t millionths;
    unsigned decimals;
    char currency[PRICE_CURRENCY_SIZE];
    if (!read_price(price, &millionths, &decimals, currency)) {
        return;
    }
    size_t at = 0;
    while (at < sum->count && strcmp(sum->currencies[at].currency, currency) != 0) {
        at++;
    }
    if (at == PRICE_CURRENCIES_MAX || sum->currencies[at].millionths > SUM_MAX) {
        return;
    }
    sum->count = at == sum->count ? at + 1 : sum->count;
    memcpy(sum->currencies[at].currency, currency, sizeof currency);
    sum->currencies[at].millionths += millionths;
    if (decimals > sum->currencies[at].decimals) {
        sum->currencies[at].decimals = decimals;
    }
}

size_t price_format(const struct price_sum *sum,
                    char texts[PRICE_CURRENCIES_MAX][PRICE_TEXT_SIZE]) {
    for (size_t i = 0; i < sum->count; i++) {
        char fraction[24];
        int64_t millionths = sum->currencies[i].millionths;
        unsigned decimals = sum->currencies[i].decimals;
        snprintf(fraction, sizeof fraction, "%06" PRId64, millionths % MILLION);
        snprintf(texts[i], PRICE_TEXT_SIZE, "%" PRId64 "%s%.*s %s", millionths / MILLION,
                 decimals > 0 ? "." : "", (int)decimals, fraction, sum->currencies[i].currency);
    }
    return sum->count;
}
