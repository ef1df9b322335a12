// SPDX-License-Identifier: Apache-2.0
// What the camera has stored of itself and its credentials.
#include "protocol/device_parts.h"

// The storage may hold anything after a firmware update or bit rot: a size out of bounds must not
// reach a callback.
bool device_state_is_sound(const struct device_state *state) {
    for (size_t i = 0; i < DEVICE_CREDENTIALS_MAX; i++) {
        const struct device_credential *credential = &state->credentials[i];
        if (credential->state > CREDENTIAL_INSTALLED || credential->csr_size > MESSAGE_OBJECT_MAX ||
            credential->chain_size > MESSAGE_OBJECT_MAX) {
            return false;
        }
    }
    return state->lifecycle <= LIFECYCLE_LOCKED;
}

void device_reload(struct device *device) {
    struct device_state state = {0};
    if (device->ops->load(device->context, &state) == CAMERA_OK && device_state_is_sound(&state)) {
        device->state = state;
    }
}

const struct device_credential *device_credential(const struct device *device, uint8_t number,
                                                  bool needs_key, struct message *answer) {
    if (number == 0 || number > device->config->credential_count) {
        device_fail_number(answer, CAMERA_NO_CREDENTIAL, "there is no credential", number, "");
        return NULL;
    }
    const struct device_credential *credential = &device->state.credentials[number - 1];
    if (needs_key && credential->state == CREDENTIAL_EMPTY) {
        device_fail_number(answer, CAMERA_NO_KEY, "credential", number, "has no key");
        return NULL;
    }
    return credential;
}
