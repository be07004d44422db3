/*
 * A configuration store: one JSON file that several programs may change at once, and of which no change is ever lost.
 *
 * It shows: JSON documents by JSON Pointer; reading values out of results without a JSON library; history and undo;
 * telling errors apart by their code.
 *
 *     config_store FOLDER get POINTER
 *     config_store FOLDER set POINTER JSON
 *     config_store FOLDER merge JSON
 *     config_store FOLDER history
 *     config_store FOLDER undo
 */

#include <electrus.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FILE_NAME "config.json"

/* Every function here gives a status of the library, and what it told. */

static int32_t get(const electrus_handler *files, const char *pointer, char **result) {
    electrus_json *json = NULL;
    int32_t status = electrus_handler_json(files, &json, NULL);
    if (status != ELECTRUS_OK) return status;
    status = electrus_json_get(json, FILE_NAME, pointer, NULL, result);
    if (status == ELECTRUS_OK) {
        char *value = NULL;
        status = electrus_result_text(*result, "/data", &value);
        if (status == ELECTRUS_OK) printf("%s\n", value);
        electrus_free(value);
    }
    electrus_json_close(json, NULL);
    return status;
}

/* A file that is not there yet counts as an empty object for a merge, and a set into it goes the same way. */
static int32_t create(const electrus_json *json) {
    int32_t status = electrus_json_write(json, FILE_NAME, "{}", "{\"if_absent\": true}", NULL);
    return status == ELECTRUS_E_ALREADY_EXISTS ? ELECTRUS_OK : status;
}

static int32_t change(const electrus_handler *files, const char *pointer, const char *text, char **result) {
    electrus_json *json = NULL;
    int32_t status = electrus_handler_json(files, &json, NULL);
    if (status != ELECTRUS_OK) return status;
    status = create(json);
    if (status == ELECTRUS_OK && pointer != NULL) {
        status = electrus_json_set(json, FILE_NAME, pointer, text, NULL, result);
    } else if (status == ELECTRUS_OK) {
        status = electrus_json_merge(json, FILE_NAME, text, NULL, result);
    }
    if (status == ELECTRUS_OK) {
        int64_t version = 0;
        electrus_result_integer(*result, "/version", &version);
        printf("version %" PRId64 "\n", version);
    }
    electrus_json_close(json, NULL);
    return status;
}

static int32_t history(const electrus_versions *versions, char **result) {
    size_t count = 0, i;
    int32_t status = electrus_versions_list(versions, FILE_NAME, NULL, result);
    if (status != ELECTRUS_OK) return status;
    electrus_result_count(*result, "/versions", &count);
    for (i = 0; i < count; i++) {
        char pointer[64];
        int64_t version = 0, size = 0;
        snprintf(pointer, sizeof pointer, "/versions/%zu/version", i);
        electrus_result_integer(*result, pointer, &version);
        snprintf(pointer, sizeof pointer, "/versions/%zu/size", i);
        electrus_result_integer(*result, pointer, &size);
        printf("version %" PRId64 ", %" PRId64 " bytes\n", version, size);
    }
    return ELECTRUS_OK;
}

/* Puts the last version but one back. That makes a new version, so that an undo can be undone. */
static int32_t undo(const electrus_versions *versions, char **result) {
    char pointer[64];
    size_t count = 0;
    int64_t version = 0;
    int32_t status = electrus_versions_list(versions, FILE_NAME, NULL, result);
    if (status != ELECTRUS_OK) return status;
    electrus_result_count(*result, "/versions", &count);
    if (count < 2) return ELECTRUS_E_VERSION_NOT_FOUND;
    snprintf(pointer, sizeof pointer, "/versions/%zu/version", count - 2);
    electrus_result_integer(*result, pointer, &version);
    electrus_free(*result);
    status = electrus_versions_restore(versions, FILE_NAME, (uint64_t)version, NULL, result);
    if (status == ELECTRUS_OK) printf("version %" PRId64 " is back\n", version);
    return status;
}

static int32_t past(const electrus_handler *files, int back, char **result) {
    electrus_versions *versions = NULL;
    int32_t status = electrus_handler_versions(files, &versions, NULL);
    if (status != ELECTRUS_OK) return status;
    status = back ? undo(versions, result) : history(versions, result);
    electrus_versions_close(versions, NULL);
    return status;
}

static int usage(void) {
    fputs("usage: config_store FOLDER get POINTER | set POINTER JSON | merge JSON | history | undo\n", stderr);
    return 2;
}

int main(int count, char **arguments) {
    electrus_handler *files = NULL;
    char *result = NULL;
    const char *verb = count > 2 ? arguments[2] : "";
    int32_t status = electrus_handler_open(count > 1 ? arguments[1] : ".", NULL, &files, &result);

    if (status == ELECTRUS_OK) {
        electrus_free(result);
        result = NULL;
        if (count == 4 && strcmp(verb, "get") == 0) status = get(files, arguments[3], &result);
        else if (count == 5 && strcmp(verb, "set") == 0) status = change(files, arguments[3], arguments[4], &result);
        else if (count == 4 && strcmp(verb, "merge") == 0) status = change(files, NULL, arguments[3], &result);
        else if (count == 3 && strcmp(verb, "history") == 0) status = past(files, 0, &result);
        else if (count == 3 && strcmp(verb, "undo") == 0) status = past(files, 1, &result);
        else return usage();
        electrus_handler_close(files, NULL);
    }
    if (status != ELECTRUS_OK) fprintf(stderr, "%s: %s\n", electrus_code_name(status), electrus_code_text(status));
    electrus_free(result);
    return status == ELECTRUS_OK ? 0 : 1;
}
