// SPDX-License-Identifier: Apache-2.0
// What certificates cost: "0.45 EUR", added up by currency, without rounding.
#ifndef BIRTHCERT_APP_PRICE_H
#define BIRTHCERT_APP_PRICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PRICE_DECIMALS 6
#define PRICE_CURRENCY_SIZE 17
#define PRICE_CURRENCIES_MAX 4
#define PRICE_TEXT_SIZE 48

struct price_sum {
    size_t count;
    struct {
        char currency[PRICE_CURRENCY_SIZE];
        int64_t millionths;
        unsigned decimals; // of the price with the most
    } currencies[PRICE_CURRENCIES_MAX];
};

// Whether it is a price: digits, at most PRICE_DECIMALS of them behind a point, blanks, and a currency.
bool price_is_readable(const char *text);

// Adds a price. Another text adds nothing, nor does a fifth currency, nor what is too large.
void price_add(struct price_sum *sum, const char *price);

// A text for each currency, as "1.35 EUR". Returns how many.
size_t price_format(const struct price_sum *sum, char texts[PRICE_CURRENCIES_MAX][PRICE_TEXT_SIZE]);

#endif
