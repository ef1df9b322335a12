// SPDX-License-Identifier: Apache-2.0
#include "tests/support_token.h"

#include <dlfcn.h>
#include <glob.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "station/base/bytes.h"
#include "tests/support_pki.h"

#define SLOTS_MAX 16

static char token_folder[64];
static char module_path[160];
static char pin_path[160];

static void need(bool good, const char *what) {
    if (!good) {
        fprintf(stderr, "SoftHSM: %s\n", what);
        exit(2);
    }
}

static void run(const char *const arguments[]) {
    pid_t child = 0;
    int status = 0;
    posix_spawn_file_actions_t actions;
    need(posix_spawn_file_actions_init(&actions) == 0 &&
             posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", 1, 0) == 0,
         "no file actions");
    need(posix_spawnp(&child, arguments[0], &actions, NULL, (char *const *)(uintptr_t)arguments,
                      environ) == 0,
         "softhsm2-util does not start");
    need(waitpid(child, &status, 0) == child && status == 0, arguments[1]);
    posix_spawn_file_actions_destroy(&actions);
}

static void find_module(void) {
    glob_t found;
    need(glob("/usr/lib/*/softhsm/libsofthsm2.so", 0, NULL, &found) == 0, "is not installed");
    need(text_copy(module_path, sizeof module_path, found.gl_pathv[0]), "a long path");
    globfree(&found);
}

void token_start(const char *folder) {
    static const char pin[] = TOKEN_PIN "\n";
    char text[256];
    char path[160];
    need(text_copy(token_folder, sizeof token_folder, folder), "a long folder");
    find_module();
    int length =
        snprintf(text, sizeof text, "directories.tokendir = %s\nlog.level = ERROR\n", folder);
    pki_write_file(folder, "softhsm2.conf", 0600,
                   (struct slice){(const uint8_t *)text, (size_t)length}, path);
    need(setenv("SOFTHSM2_CONF", path, 1) == 0, "no environment");
    pki_write_file(folder, "pin", 0600, (struct slice){(const uint8_t *)pin, sizeof pin - 1},
                   pin_path);
}

void token_add(const char *label) {
    run((const char *const[]){"softhsm2-util", "--init-token", "--free", "--label", label, "--pin",
                              TOKEN_PIN, "--so-pin", "31415926", NULL});
}

void token_put_key(const char *token, EVP_PKEY *key, const char *object, const char *id) {
    char path[160];
    struct buf *pem = pki_key_pem(key);
    pki_write_file(token_folder, "import.key", 0600, buf_slice(pem), path);
    buf_free_secret(pem);
    run((const char *const[]){"softhsm2-util", "--import", path, "--token", token, "--label",
                              object, "--id", id, "--pin", TOKEN_PIN, NULL});
    unlink(path);
}

void token_uri_with_pin(const char *what, const char *pin_file, char out[512]) {
    int length = snprintf(out, 512, "pkcs11:%s?module-path=%s%s%s", what, module_path,
                          pin_file != NULL ? "&pin-source=" : "", pin_file != NULL ? pin_file : "");
    need(length > 0 && length < 512, "a long URI");
}

void token_uri(const char *what, char out[512]) {
    token_uri_with_pin(what, pin_path, out);
}

CK_FUNCTION_LIST *token_functions(void) {
    CK_FUNCTION_LIST *list = NULL;
    void *library = dlopen(module_path, RTLD_NOW);
    CK_C_GetFunctionList get = NULL;
    void *symbol = library != NULL ? dlsym(library, "C_GetFunctionList") : NULL;
    memcpy(&get, &symbol, sizeof get);
    need(get != NULL && get(&list) == CKR_OK, "no functions");
    // cppcheck-suppress resourceLeak ; it stays loaded, as its functions are handed out
    return list;
}

static CK_ULONG list_slots(CK_FUNCTION_LIST *list, CK_SLOT_ID slots[SLOTS_MAX]) {
    CK_ULONG count = SLOTS_MAX;
    need(list->C_GetSlotList(CK_TRUE, slots, &count) == CKR_OK, "no slots");
    return count;
}

void token_close_sessions(void) {
    CK_FUNCTION_LIST *list = token_functions();
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG count = list_slots(list, slots);
    for (CK_ULONG i = 0; i < count; i++) {
        need(list->C_CloseAllSessions(slots[i]) == CKR_OK, "no closing");
    }
}

static CK_SESSION_HANDLE log_in(CK_FUNCTION_LIST *list, const char *token) {
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG count = list_slots(list, slots);
    CK_SESSION_HANDLE session = 0;
    for (CK_ULONG i = 0; i < count; i++) {
        CK_TOKEN_INFO info;
        need(list->C_GetTokenInfo(slots[i], &info) == CKR_OK, "no information");
        if (strncmp((const char *)info.label, token, strlen(token)) == 0) {
            need(list->C_OpenSession(slots[i], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
                                     &session) == CKR_OK &&
                     list->C_Login(session, CKU_USER, (CK_UTF8CHAR *)(uintptr_t)TOKEN_PIN,
                                   strlen(TOKEN_PIN)) == CKR_OK,
                 "no login");
        }
    }
    return session;
}

void token_delete(const char *token, CK_OBJECT_CLASS class) {
    CK_FUNCTION_LIST *list = token_functions();
    CK_ATTRIBUTE filter = {CKA_CLASS, &class, sizeof class};
    CK_OBJECT_HANDLE objects[16];
    CK_ULONG count = 0;
    need(list->C_Initialize(NULL) == CKR_OK, "is in use");
    CK_SESSION_HANDLE session = log_in(list, token);
    need(list->C_FindObjectsInit(session, &filter, 1) == CKR_OK &&
             list->C_FindObjects(session, objects, ARRAY_LENGTH(objects), &count) == CKR_OK &&
             list->C_FindObjectsFinal(session) == CKR_OK,
         "no look");
    for (CK_ULONG i = 0; i < count; i++) {
        need(list->C_DestroyObject(session, objects[i]) == CKR_OK, "no deleting");
    }
    need(list->C_Finalize(NULL) == CKR_OK, "no end");
}
