// SPDX-License-Identifier: Apache-2.0
#include "ca-client/key_token.h"

#include <p11-kit/p11-kit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/key_uri.h"
#include "station/base/buf.h"
#include "station/base/bytes.h"
#include "station/base/secret.h"

#define PIN_MAX 256
#define FILTER_MAX 3
#define SLOTS_MAX 64

struct key_token {
    P11KitUri *uri;
    CK_FUNCTION_LIST **modules; // ends with NULL
    bool is_one_module;         // the URI's own
    CK_FUNCTION_LIST *module;   // where the token is
    CK_SLOT_ID slot;
    CK_TOKEN_INFO info;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE object;
    bool has_session;
    bool pin_refused;
    char label[KEY_LABEL_SIZE];
    char object_label[KEY_LABEL_SIZE];
    struct key_token_public public_half;
};

// ---- modules ------------------------------------------------------------------------------------

static bool fail_module(const char *path, struct error *error) {
    const char *reason = p11_kit_message();
    return error_set(error, E_KEY_TOKEN, "the PKCS#11 module %s does not load: %s", path,
                     reason != NULL ? reason : "no reason given");
}

static bool load_one_module(struct key_token *token, const char *path, struct error *error) {
    token->is_one_module = true;
    token->modules = calloc(2, sizeof(CK_FUNCTION_LIST *));
    if (token->modules == NULL) {
        return error_set(error, E_MEMORY, "no memory for a PKCS#11 module");
    }
    token->modules[0] = p11_kit_module_load(path, 0);
    if (token->modules[0] == NULL) {
        return fail_module(path, error);
    }
    if (p11_kit_module_initialize(token->modules[0]) != CKR_OK) {
        p11_kit_module_release(token->modules[0]);
        token->modules[0] = NULL;
        return fail_module(path, error);
    }
    return true;
}

static bool load_modules(struct key_token *token, struct error *error) {
    const char *path = p11_kit_uri_get_module_path(token->uri);
    if (path != NULL) {
        return load_one_module(token, path, error);
    }
    // All that are registered in this system; one that does not start is left out.
    token->modules = p11_kit_modules_load_and_initialize(0);
    return token->modules != NULL || fail_module("registered with p11-kit", error);
}

static void unload_modules(struct key_token *token) {
    if (token->modules == NULL) {
        return;
    }
    if (!token->is_one_module) {
        p11_kit_modules_finalize_and_release(token->modules);
        return;
    }
    if (token->modules[0] != NULL) {
        p11_kit_module_finalize(token->modules[0]);
        p11_kit_module_release(token->modules[0]);
    }
    free(token->modules);
}

// ---- the token ----------------------------------------------------------------------------------

// PKCS#11 pads with blanks.
static void copy_label(char out[KEY_LABEL_SIZE], const unsigned char *text, size_t length) {
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\0')) {
        length--;
    }
    text_escape(out, KEY_LABEL_SIZE, (const char *)text, length);
}

// What the URI calls the token, for messages.
static void wanted_token(const struct key_token *token, char out[KEY_LABEL_SIZE]) {
    const CK_TOKEN_INFO *wanted = p11_kit_uri_get_token_info(token->uri);
    copy_label(out, wanted->label, sizeof wanted->label);
}

static bool fail_count(const struct key_token *token, size_t count, struct error *error) {
    char label[KEY_LABEL_SIZE];
    wanted_token(token, label);
    return count == 0
               ? error_set(error, E_KEY_TOKEN, "there is no token%s%s", label[0] ? " " : "", label)
               : error_set(error, E_KEY_TOKEN,
                           "%zu tokens fit%s%s: name one with token= or serial=", count,
                           label[0] ? " " : "", label);
}

static bool fits(const struct key_token *token, CK_SLOT_ID slot, const CK_TOKEN_INFO *info) {
    CK_SLOT_ID wanted = p11_kit_uri_get_slot_id(token->uri);
    return (info->flags & CKF_TOKEN_INITIALIZED) != 0 && // else an empty place
           (wanted == (CK_SLOT_ID)-1 || wanted == slot) &&
           p11_kit_uri_match_token_info(token->uri, info) == 1;
}

// Returns how many tokens of the module fit; the last is kept.
static size_t look_in_module(struct key_token *token, CK_FUNCTION_LIST *module) {
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_TOKEN_INFO info;
    CK_ULONG slot_count = SLOTS_MAX;
    size_t count = 0;
    if (module->C_GetSlotList(CK_TRUE, slots, &slot_count) != CKR_OK) {
        return 0;
    }
    for (CK_ULONG i = 0; i < slot_count; i++) {
        if (module->C_GetTokenInfo(slots[i], &info) == CKR_OK && fits(token, slots[i], &info)) {
            token->module = module;
            token->slot = slots[i];
            token->info = info;
            count++;
        }
    }
    return count;
}

static bool find_token(struct key_token *token, struct error *error) {
    size_t count = 0;
    for (size_t i = 0; token->modules[i] != NULL; i++) {
        count += look_in_module(token, token->modules[i]);
    }
    if (count != 1) {
        return fail_count(token, count, error);
    }
    copy_label(token->label, token->info.label, sizeof token->info.label);
    return true;
}

static bool fail_call(const struct key_token *token, enum error_code code, const char *what,
                      CK_RV result, struct error *error) {
    return error_set(error, code, "token %s: %s: %s", token->label, what, p11_kit_strerror(result));
}

static bool open_session(struct key_token *token, struct error *error) {
    CK_RV result =
        token->module->C_OpenSession(token->slot, CKF_SERIAL_SESSION, NULL, NULL, &token->session);
    token->has_session = result == CKR_OK;
    return token->has_session || fail_call(token, E_KEY_TOKEN, "no session", result, error);
}

static void close_session(struct key_token *token) {
    if (token->has_session) {
        (void)token->module->C_CloseSession(token->session);
        token->has_session = false;
    }
}

// ---- the PIN ------------------------------------------------------------------------------------

// Another key of this process may have logged in: the login is the process's.
static bool is_logged_in(const struct key_token *token) {
    CK_SESSION_INFO info;
    return token->module->C_GetSessionInfo(token->session, &info) == CKR_OK &&
           (info.state == CKS_RO_USER_FUNCTIONS || info.state == CKS_RW_USER_FUNCTIONS);
}

// A service that starts again and again with a wrong PIN must not be what locks the token.
static bool may_try_pin(const struct key_token *token, struct error *error) {
    if ((token->info.flags & CKF_USER_PIN_LOCKED) != 0) {
        return error_set(error, E_KEY_PIN,
                         "token %s: the PIN is locked after wrong ones: its administrator sets a "
                         "new one with the SO-PIN",
                         token->label);
    }
    if ((token->info.flags & CKF_USER_PIN_FINAL_TRY) != 0) {
        return error_set(error, E_KEY_PIN,
                         "token %s: one try of the PIN is left, and it is not used: correct the "
                         "file, then log in once by hand (p11tool --login --list-all URI)",
                         token->label);
    }
    return !token->pin_refused ||
           error_set(error, E_KEY_PIN,
                     "token %s: the PIN was refused before, and is not tried "
                     "again: correct its file and start anew",
                     token->label);
}

static bool judge_login(struct key_token *token, CK_RV result, const char *file,
                        struct error *error) {
    switch (result) {
    case CKR_OK:
    case CKR_USER_ALREADY_LOGGED_IN:
        return true;
    case CKR_PIN_INCORRECT:
    case CKR_PIN_INVALID:
    case CKR_PIN_LEN_RANGE:
        token->pin_refused = true;
        return error_set(error, E_KEY_PIN,
                         "token %s refuses the PIN in %s: that was one try, and there are few",
                         token->label, file);
    case CKR_PIN_LOCKED:
        token->pin_refused = true;
        break;
    default:
        break;
    }
    return fail_call(token, E_KEY_PIN, "no login", result, error);
}

// Editors put a newline at a file's end.
static size_t pin_length(struct slice pin) {
    size_t length = pin.length;
    while (length > 0 && (pin.data[length - 1] == '\n' || pin.data[length - 1] == '\r')) {
        length--;
    }
    return length;
}

static bool log_in(struct key_token *token, struct error *error) {
    const char *file = key_uri_pin_file(token->uri);
    struct buf *pin = NULL;
    if ((token->info.flags & CKF_LOGIN_REQUIRED) == 0 || is_logged_in(token)) {
        return true;
    }
    if (!may_try_pin(token, error)) {
        return false;
    }
    if (file == NULL) {
        return error_set(error, E_KEY_PIN,
                         "token %s wants a PIN: add ?pin-source=FILE to the URI, FILE with mode "
                         "0600",
                         token->label);
    }
    if (!secret_read(file, PIN_MAX, &pin, error)) {
        return error_prefix(error, "pin-source");
    }
    struct slice bytes = buf_slice(pin);
    CK_RV result = token->module->C_Login(token->session, CKU_USER,
                                          (CK_UTF8CHAR *)(uintptr_t)bytes.data, pin_length(bytes));
    buf_free_secret(pin);
    return judge_login(token, result, file, error);
}

// ---- the object ---------------------------------------------------------------------------------

// How many of at most two objects fit; the first goes to `object`.
static CK_RV find_objects(const struct key_token *token, CK_ATTRIBUTE *filter, CK_ULONG length,
                          CK_OBJECT_HANDLE *object, CK_ULONG *count) {
    CK_OBJECT_HANDLE found[2] = {0, 0};
    CK_RV result = token->module->C_FindObjectsInit(token->session, filter, length);
    *count = 0;
    if (result == CKR_OK) {
        result = token->module->C_FindObjects(token->session, found, 2, count);
        (void)token->module->C_FindObjectsFinal(token->session);
    }
    *object = found[0];
    return result;
}

static bool find_key(struct key_token *token, struct error *error) {
    static CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE filter[FILTER_MAX] = {{CKA_CLASS, &class, sizeof class}};
    CK_ULONG length = 1;
    CK_ULONG count = 0;
    static const CK_ATTRIBUTE_TYPE types[] = {CKA_LABEL, CKA_ID};
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
        const CK_ATTRIBUTE *attribute = p11_kit_uri_get_attribute(token->uri, types[i]);
        if (attribute != NULL) {
            filter[length++] = *attribute;
        }
    }
    CK_RV result = find_objects(token, filter, length, &token->object, &count);
    if (result != CKR_OK) {
        return fail_call(token, E_KEY_TOKEN, "no look at its objects", result, error);
    }
    if (count != 1) {
        return error_set(error, E_KEY_OBJECT, "token %s holds %s", token->label,
                         count == 0 ? "no private key that fits the URI"
                                    : "more than one private key that fits: name one with object= "
                                      "or id=");
    }
    return true;
}

// False where the object has no such attribute, or a longer one.
static bool read_attribute(const struct key_token *token, CK_OBJECT_HANDLE object,
                           CK_ATTRIBUTE_TYPE type, void *value, size_t capacity, size_t *length) {
    CK_ATTRIBUTE attribute = {type, value, capacity};
    CK_RV result = token->module->C_GetAttributeValue(token->session, object, &attribute, 1);
    *length = 0;
    if (result != CKR_OK || attribute.ulValueLen == 0 || attribute.ulValueLen > capacity) {
        return false;
    }
    *length = attribute.ulValueLen;
    return true;
}

static bool read_parts(struct key_token *token, CK_OBJECT_HANDLE object) {
    struct key_token_public *half = &token->public_half;
    CK_ATTRIBUTE_TYPE first = half->is_rsa ? CKA_MODULUS : CKA_EC_PARAMS;
    CK_ATTRIBUTE_TYPE second = half->is_rsa ? CKA_PUBLIC_EXPONENT : CKA_EC_POINT;
    return read_attribute(token, object, first, half->first, KEY_PART_MAX, &half->first_length) &&
           read_attribute(token, object, second, half->second, KEY_PART_MAX, &half->second_length);
}

// The private object need not tell its public half; the public object has the same CKA_ID.
static bool read_public(struct key_token *token, struct error *error) {
    static CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
    uint8_t id[256];
    size_t id_length = 0;
    CK_ULONG count = 0;
    CK_OBJECT_HANDLE object = 0;
    if (read_parts(token, token->object)) {
        return true;
    }
    if (read_attribute(token, token->object, CKA_ID, id, sizeof id, &id_length)) {
        CK_ATTRIBUTE filter[] = {{CKA_CLASS, &class, sizeof class}, {CKA_ID, id, id_length}};
        if (find_objects(token, filter, ARRAY_LENGTH(filter), &object, &count) == CKR_OK &&
            count == 1 && read_parts(token, object)) {
            return true;
        }
    }
    return error_set(error, E_KEY_OBJECT,
                     "token %s: the private key %s has no public key with the same id beside it",
                     token->label, token->object_label);
}

static bool read_key(struct key_token *token, struct error *error) {
    CK_KEY_TYPE type = 0;
    CK_BBOOL always = CK_FALSE;
    unsigned char label[KEY_LABEL_SIZE - 1];
    size_t length = 0;
    (void)read_attribute(token, token->object, CKA_LABEL, label, sizeof label, &length);
    copy_label(token->object_label, label, length);
    if (!read_attribute(token, token->object, CKA_KEY_TYPE, &type, sizeof type, &length) ||
        (type != CKK_RSA && type != CKK_EC)) {
        return error_set(error, E_KEY_OBJECT, "token %s: the key %s is neither RSA nor EC",
                         token->label, token->object_label);
    }
    if (read_attribute(token, token->object, CKA_ALWAYS_AUTHENTICATE, &always, sizeof always,
                       &length) &&
        always != CK_FALSE) {
        return error_set(error, E_KEY_OBJECT,
                         "token %s: the key %s wants the PIN for every signature: use another",
                         token->label, token->object_label);
    }
    token->public_half.is_rsa = type == CKK_RSA;
    return read_public(token, error);
}

// ---- opening ------------------------------------------------------------------------------------

static bool connect_token(struct key_token *token, struct error *error) {
    return find_token(token, error) && open_session(token, error) && log_in(token, error) &&
           find_key(token, error) && read_key(token, error);
}

bool key_token_open(const char *uri, struct key_token **out, struct error *error) {
    struct key_token *token = calloc(1, sizeof *token);
    *out = NULL;
    if (token == NULL) {
        return error_set(error, E_MEMORY, "no memory for a key");
    }
    token->uri = key_uri_parse(uri, error);
    if (token->uri == NULL || !load_modules(token, error) || !connect_token(token, error)) {
        key_token_close(token);
        return false;
    }
    *out = token;
    return true;
}

void key_token_close(struct key_token *token) {
    if (token != NULL) {
        close_session(token);
        unload_modules(token);
        p11_kit_uri_free(token->uri);
        free(token);
    }
}

const struct key_token_public *key_token_public(const struct key_token *token) {
    return &token->public_half;
}

const char *key_token_label(const struct key_token *token) {
    return token->label;
}

const char *key_token_object(const struct key_token *token) {
    return token->object_label;
}

// ---- signing ------------------------------------------------------------------------------------

// SHA-256, SHA-384 or SHA-512: told by the length of their digests.
static bool set_pss(const struct key_to_sign *what, CK_RSA_PKCS_PSS_PARAMS *parameters) {
    static const struct {
        size_t size;
        CK_MECHANISM_TYPE hash;
        CK_RSA_PKCS_MGF_TYPE mask;
    } hashes[] = {{32, CKM_SHA256, CKG_MGF1_SHA256},
                  {48, CKM_SHA384, CKG_MGF1_SHA384},
                  {64, CKM_SHA512, CKG_MGF1_SHA512}};
    for (size_t i = 0; i < ARRAY_LENGTH(hashes); i++) {
        if (hashes[i].size == what->data.length) {
            *parameters = (CK_RSA_PKCS_PSS_PARAMS){hashes[i].hash, hashes[i].mask, what->salt_size};
            return true;
        }
    }
    return false;
}

static CK_RV sign_once(const struct key_token *token, const struct key_to_sign *what,
                       uint8_t signature[KEY_SIGNATURE_MAX], size_t *length) {
    CK_RSA_PKCS_PSS_PARAMS pss;
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    CK_ULONG size = KEY_SIGNATURE_MAX;
    if (what->scheme == KEY_SIGN_RSA_PKCS1) {
        mechanism.mechanism = CKM_RSA_PKCS;
    } else if (what->scheme == KEY_SIGN_RSA_PSS) {
        if (!set_pss(what, &pss)) {
            return CKR_MECHANISM_PARAM_INVALID;
        }
        mechanism = (CK_MECHANISM){CKM_RSA_PKCS_PSS, &pss, sizeof pss};
    }
    CK_RV result = token->module->C_SignInit(token->session, &mechanism, token->object);
    if (result == CKR_OK) {
        result = token->module->C_Sign(token->session, (CK_BYTE *)(uintptr_t)what->data.data,
                                       what->data.length, signature, &size);
    }
    *length = result == CKR_OK ? size : 0;
    return result;
}

// The token was taken out and is back, its daemon was started again, or somebody logged it out.
static bool is_lost(CK_RV result) {
    return result == CKR_SESSION_HANDLE_INVALID || result == CKR_SESSION_CLOSED ||
           result == CKR_DEVICE_REMOVED || result == CKR_TOKEN_NOT_PRESENT ||
           result == CKR_OBJECT_HANDLE_INVALID || result == CKR_KEY_HANDLE_INVALID ||
           result == CKR_USER_NOT_LOGGED_IN || result == CKR_CRYPTOKI_NOT_INITIALIZED;
}

// A token of the same name with another key would sign what nobody accepts.
static bool connect_again(struct key_token *token, struct error *error) {
    struct key_token_public before = token->public_half;
    close_session(token);
    if (!connect_token(token, error)) {
        token->public_half = before;
        close_session(token); // else it would sign with a key that nobody looked at
        return false;
    }
    const struct key_token_public *now = &token->public_half;
    bool is_same = slice_equal((struct slice){before.first, before.first_length},
                               (struct slice){now->first, now->first_length}) &&
                   slice_equal((struct slice){before.second, before.second_length},
                               (struct slice){now->second, now->second_length});
    if (!is_same) {
        token->public_half = before;
        close_session(token);
        return error_set(error, E_KEY_OBJECT, "token %s: the key %s is another one than before",
                         token->label, token->object_label);
    }
    return true;
}

bool key_token_sign(struct key_token *token, const struct key_to_sign *what,
                    uint8_t signature[KEY_SIGNATURE_MAX], size_t *length, struct error *error) {
    CK_RV result =
        token->has_session ? sign_once(token, what, signature, length) : (CK_RV)CKR_SESSION_CLOSED;
    if (is_lost(result)) {
        if (!connect_again(token, error)) {
            return false;
        }
        result = sign_once(token, what, signature, length);
    }
    if (result == CKR_MECHANISM_INVALID && what->scheme == KEY_SIGN_RSA_PSS) {
        return error_set(error, E_KEY_OBJECT,
                         "token %s cannot sign with RSA-PSS, which TLS 1.3 needs: use a P-256 key",
                         token->label);
    }
    return result == CKR_OK || fail_call(token, E_KEY_TOKEN, "no signature", result, error);
}
