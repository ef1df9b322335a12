// SPDX-License-Identifier: Apache-2.0
// What every call to EJBCA has: what it keeps, and when its answer is one.
#include "ca-client/ca_ejbca_internal.h"

struct ejbca_call *ejbca_call_of(struct call *call) {
    return (struct ejbca_call *)call;
}

struct ca *ejbca_of(struct call *call) {
    return call->list->owner;
}

void ejbca_call_end(struct call *call) {
    buf_free(ejbca_call_of(call)->chain);
    buf_free(ejbca_call_of(call)->look.certificate);
}

bool ejbca_is_good(const struct http_response *response) {
    return response->outcome == HTTP_ANSWERED && response->status / 100 == 2;
}
