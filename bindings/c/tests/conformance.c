/*
 * Runs the conformance cases, each through every way in that C has:
 *
 *   call       electrus_handler_call()
 *   task       electrus_task_start() and electrus_task_finish()
 *   function   the function that an operation has of its own; where it has two (a file may be read by its handler or by
 *              its history), a second time by the other
 *
 *     conformance ABI_FOLDER
 */
#include "conformance.h"
#include "check.h"

#include <errno.h>
#include <json-c/json_pointer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum way { CALL, TASK, FUNCTION, OTHER_FUNCTION, WAYS };

static struct json_object *operations; /* of abi/operations.json */
static long calls_by_function, calls_unfit;
static bool used[256]; /* adapters, and behind them the staged transaction */

/* ---- contents and files -------------------------------------------------------------------------------------------- */

static int base64_value(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c ? strchr(digits, c) : NULL;
    return found ? (int)(found - digits) : -1;
}

/* The bytes, and a zero behind them; NULL if it is no base64. */
static char *from_base64(const char *text, size_t *length)
{
    char *bytes = calloc(1, strlen(text) + 1);
    unsigned long bits = 0;
    int count = 0;
    *length = 0;
    for (; *text && *text != '='; text++) {
        int value = base64_value(*text);
        if (value < 0) {
            free(bytes);
            return NULL;
        }
        bits = (bits << 6 | (unsigned long)value) & 0xffffff;
        count += 6;
        if (count >= 8) {
            count -= 8;
            bytes[(*length)++] = (char)(bits >> count & 0xff);
        }
    }
    return bytes;
}

static electrus_bytes repeated(struct json_object *text, uint64_t times)
{
    size_t length = (size_t)json_object_get_string_len(text);
    char *bytes = malloc(length * times + 1);
    for (uint64_t i = 0; i < times; i++)
        memcpy(bytes + i * length, json_object_get_string(text), length);
    return (electrus_bytes){bytes, length * times};
}

/* A content of a case, the caller's to free. */
static electrus_bytes content_of(struct json_object *content)
{
    uint64_t times = 1;
    size_t length = 0;
    struct json_object *base64 = exact_get(content, "base64"), *repeat = exact_get(content, "repeat");
    if (base64) {
        char *bytes = from_base64(json_object_get_string(base64), &length);
        return (electrus_bytes){bytes, length};
    }
    if (repeat)
        MUST(exact_count(exact_get(content, "times"), &times));
    return repeated(repeat ? repeat : content, times);
}

static bool same_bytes(electrus_bytes one, electrus_bytes other)
{
    return one.len == other.len && (one.len == 0 || memcmp(one.data, other.data, one.len) == 0);
}

static void make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        MUST(mkdir(path, 0777) == 0 || errno == EEXIST);
        *slash = '/';
    }
}

static void write_file(char *path, electrus_bytes content)
{
    make_folders(path);
    FILE *file = fopen(path, "wb");
    MUST(file && fwrite(content.data, 1, content.len, file) == content.len && fclose(file) == 0);
}

/* Changes files as somebody else would. */
static void put_files(const char *base, struct json_object *files)
{
    if (!files)
        return;
    json_object_object_foreach(files, name, wanted)
    {
        char *path = print("%s/%s", base, name);
        if (wanted) {
            electrus_bytes content = content_of(wanted);
            write_file(path, content);
            free((void *)content.data);
        } else if (name[strlen(name) - 1] == '/') {
            make_folders(path);
        } else {
            MUST(unlink(path) == 0);
        }
        free(path);
    }
}

static bool file_holds(const char *path, electrus_bytes content)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    char *found = malloc(content.len + 2);
    size_t length = fread(found, 1, content.len + 1, file);
    fclose(file);
    bool same = same_bytes((electrus_bytes){found, length}, content);
    free(found);
    return same;
}

/* What is wrong with the files afterwards, or NULL. */
static char *wrong_files(const char *base, struct json_object *files)
{
    char *words = NULL;
    if (!files)
        return NULL;
    json_object_object_foreach(files, name, wanted)
    {
        char *path = print("%s/%s", base, name);
        electrus_bytes content = wanted ? content_of(wanted) : (electrus_bytes){NULL, 0};
        bool right = wanted ? file_holds(path, content) : access(path, F_OK) != 0;
        if (!right && !words)
            words = print("%s is not as it should be afterwards", name);
        free((void *)content.data);
        free(path);
    }
    return words;
}

/* ---- arguments, for the adapters ----------------------------------------------------------------------------------- */

static void *keep(struct call *call, void *memory)
{
    MUST(call->taken_count < TAKEN);
    return call->taken[call->taken_count++] = memory;
}

/* Takes a key out: whether it was there, and its value, which the caller puts back. */
static bool take(struct call *call, const char *key, struct json_object **value)
{
    if (!json_object_object_get_ex(call->request, key, value))
        return false;
    json_object_get(*value);
    json_object_object_del(call->request, key);
    return true;
}

const char *take_text(struct call *call, const char *key)
{
    struct json_object *value = NULL;
    if (!take(call, key, &value))
        return NULL;
    const char *text = exact_text(value);
    call->unfit |= !text;
    text = keep(call, print("%s", text ? text : ""));
    json_object_put(value);
    return text;
}

const char *take_path(struct call *call, const char *key)
{
    char *other = print("%s_b64", key);
    struct json_object *encoded = NULL;
    const char *path = take_text(call, key);
    if (take(call, other, &encoded)) {
        size_t length = 0;
        const char *text = exact_text(encoded);
        char *bytes = text ? from_base64(text, &length) : NULL;
        call->unfit |= path != NULL || !bytes || strlen(bytes) != length;
        path = keep(call, bytes);
        json_object_put(encoded);
    }
    free(other);
    return path;
}

const char *take_json(struct call *call, const char *key)
{
    struct json_object *value = NULL;
    if (!take(call, key, &value))
        return NULL;
    const char *text = keep(call, exact_print(value));
    json_object_put(value);
    return text;
}

uint64_t take_version(struct call *call, const char *key)
{
    struct json_object *value = NULL;
    uint64_t number = 0;
    if (take(call, key, &value) && exact_text(value))
        json_object_object_add(call->request, "record", json_object_get(value));
    else if (!exact_count(value, &number))
        call->unfit = true;
    json_object_put(value);
    return number;
}

electrus_bytes take_content(struct call *call, const char *key)
{
    struct json_object *value = NULL;
    uint64_t index = 0;
    bool there = take(call, key, &value) && exact_count(value, &index) && index < call->contents_count;
    call->unfit |= !there || call->contents_count > 1;
    json_object_put(value);
    call->contents_count = there ? 0 : call->contents_count;
    return there ? call->contents[index] : (electrus_bytes){NULL, 0};
}

const char *take_options(struct call *call, bool contents)
{
    call->unfit |= call->contents_count > 0 && !contents;
    if (json_object_object_length(call->request) == 0)
        return NULL;
    return keep(call, exact_print(call->request));
}

/* ---- ways in ------------------------------------------------------------------------------------------------------- */

static int32_t run_call(struct call *call, char **result)
{
    const char *request = keep(call, exact_print(call->request));
    return electrus_handler_call(call->handler, call->operation, request, call->contents, call->contents_count,
                                 &call->outputs, &call->outputs_count, result);
}

static int32_t run_task(struct call *call, char **result)
{
    electrus_task *task = NULL;
    const char *request = keep(call, exact_print(call->request));
    int32_t status = electrus_task_start(call->handler, call->operation, request, call->contents, call->contents_count,
                                         &task, result);
    if (status != ELECTRUS_OK)
        return status;
    CHECK(*result == NULL);
    return electrus_task_finish(task, &call->outputs, &call->outputs_count, result);
}

/* One operation of a transaction by its function. `call` is a call of its own, with that operation as its request. */
static int32_t stage(electrus_transaction *transaction, struct call *call, char **result)
{
    const char *type = take_text(call, "type");
    if (type && strcmp(type, "write") == 0) {
        const char *path = take_path(call, "path");
        struct json_object *index = NULL;
        uint64_t at = 0;
        call->unfit |= !take(call, "content", &index) || !exact_count(index, &at) || at >= call->contents_count;
        json_object_put(index);
        const char *options = take_options(call, true);
        return call->unfit ? ELECTRUS_OK
                           : electrus_transaction_write(transaction, path, call->contents[at].data,
                                                        call->contents[at].len, options, result);
    }
    if (type && strcmp(type, "delete") == 0) {
        const char *path = take_path(call, "path"), *options = take_options(call, true);
        return call->unfit ? ELECTRUS_OK : electrus_transaction_delete(transaction, path, options, result);
    }
    bool copy = type && strcmp(type, "copy") == 0;
    if (!copy && !(type && strcmp(type, "rename") == 0)) {
        call->unfit = true;
        return ELECTRUS_OK;
    }
    const char *source = take_path(call, "source"), *destination = take_path(call, "destination");
    const char *options = take_options(call, true);
    if (call->unfit)
        return ELECTRUS_OK;
    return copy ? electrus_transaction_copy(transaction, source, destination, options, result)
                : electrus_transaction_rename(transaction, source, destination, options, result);
}

static void end_call(struct call *call)
{
    while (call->taken_count)
        free(call->taken[--call->taken_count]);
    json_object_put(call->request);
}

static int32_t stage_all(electrus_transaction *transaction, struct call *call, struct json_object *list, char **result)
{
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct call one = {.request = exact_copy(json_object_array_get_idx(list, i)),
                           .contents = call->contents,
                           .contents_count = call->contents_count};
        electrus_free(*result);
        int32_t status = stage(transaction, &one, result);
        /* What is staged takes fewer options than what stands in a list: let the list say what is wrong with them. */
        call->unfit |= one.unfit || status == ELECTRUS_E_UNKNOWN_OPTION;
        end_call(&one);
        if (status != ELECTRUS_OK || call->unfit)
            return status;
        CHECK(integer(*result, "/staged") == (int64_t)i + 1);
    }
    return ELECTRUS_OK;
}

/* A transaction in steps. */
static int32_t run_staged(struct call *call, char **result)
{
    struct json_object *list = NULL;
    electrus_transaction *transaction = NULL;
    if (!take(call, "operations", &list) || !json_object_is_type(list, json_type_array)) {
        call->unfit = true;
        json_object_put(list);
        return ELECTRUS_OK;
    }
    int32_t status = electrus_transaction_begin(call->handler, take_options(call, true), &transaction, result);
    if (status == ELECTRUS_OK) {
        status = stage_all(transaction, call, list, result);
        if (status == ELECTRUS_OK && !call->unfit) {
            drop(result);
            status = electrus_transaction_commit(transaction, result);
        } else {
            STATUS(ELECTRUS_OK, electrus_transaction_abort(transaction, NULL));
        }
    }
    json_object_put(list);
    return status;
}

static size_t adapter_count(void)
{
    size_t count = 0;
    while (adapters[count].operation)
        count++;
    return count;
}

/* The function of an operation, or the other one if it has two: its index, or -1. */
static int find_function(const char *operation, bool other)
{
    int found = -1;
    for (int i = 0; adapters[i].operation; i++)
        if (strcmp(adapters[i].operation, operation) == 0 && (found < 0 || other))
            found = i;
    return other && strcmp(operation, "transaction") == 0 ? (int)adapter_count() : found;
}

static int32_t run_function(struct call *call, bool other, char **result)
{
    struct call fresh = *call;
    int index = find_function(call->operation, other);
    if (index >= 0) {
        call->request = exact_copy(fresh.request);
        int32_t status = adapters[index].operation ? adapters[index].run(call, result) : run_staged(call, result);
        if (!call->unfit) {
            calls_by_function++;
            used[index] = true;
            json_object_put(fresh.request);
            return status;
        }
        json_object_put(call->request);
        while (call->taken_count)
            free(call->taken[--call->taken_count]);
        drop(result);
        *call = fresh;
    }
    calls_unfit++;
    return run_call(call, result);
}

/* ---- results ------------------------------------------------------------------------------------------------------- */

static bool is_texts(struct json_object *value)
{
    for (size_t i = 0; json_object_is_type(value, json_type_array) && i < json_object_array_length(value); i++)
        if (!json_object_is_type(json_object_array_get_idx(value, i), json_type_string))
            return false;
    return json_object_is_type(value, json_type_array);
}

static bool is_time(const char *text)
{
    int year, month, day, hour, minute, used_length = 0;
    double second;
    return text && sscanf(text, "%4d-%2d-%2dT%2d:%2d:%lf%n", &year, &month, &day, &hour, &minute, &second,
                          &used_length) == 6 &&
           (text[used_length] == 'Z' || strchr("+-", text[used_length]));
}

static bool has_type(struct json_object *value, const char *type)
{
    static const char *const texts[] = {"path", "text", "checksum", "algorithm", "durability", "mode"};
    static const char *const counts[] = {"count", "content", "lock"};
    uint64_t number;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(type, texts[i]) == 0)
            return json_object_is_type(value, json_type_string) && !exact_digits(value);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (strcmp(type, counts[i]) == 0)
            return exact_count(value, &number);
    if (strcmp(type, "paths") == 0 || strcmp(type, "texts") == 0 || strcmp(type, "algorithms") == 0)
        return is_texts(value);
    if (strcmp(type, "flag") == 0)
        return json_object_is_type(value, json_type_boolean);
    if (strcmp(type, "seconds") == 0)
        return exact_digits(value) != NULL;
    if (strcmp(type, "version") == 0)
        return exact_count(value, &number) || exact_text(value);
    if (strcmp(type, "time") == 0)
        return is_time(exact_text(value));
    if (strcmp(type, "list") == 0 || strcmp(type, "operations") == 0)
        return json_object_is_type(value, json_type_array);
    if (strcmp(type, "object") == 0)
        return json_object_is_type(value, json_type_object);
    return strcmp(type, "json") == 0;
}

static struct json_object *fields_of(const char *operation)
{
    for (size_t i = 0; i < json_object_array_length(operations); i++) {
        struct json_object *row = json_object_array_get_idx(operations, i);
        if (strcmp(json_object_get_string(exact_get(row, "name")), operation) == 0)
            return exact_get(row, "results");
    }
    return NULL;
}

static const char *member(struct json_object *object, const char *key)
{
    return json_object_get_string(exact_get(object, key));
}

static bool is_documented(struct json_object *fields, const char *key)
{
    if (strcmp(key, "path_b64") == 0)
        return true;
    for (size_t i = 0; i < json_object_array_length(fields); i++) {
        struct json_object *field = json_object_array_get_idx(fields, i);
        const char *known = member(field, "key");
        size_t length = strlen(known);
        if (strcmp(known, key) == 0)
            return true;
        if (strcmp(member(field, "type"), "path") == 0 && strncmp(known, key, length) == 0 &&
            strcmp(key + length, "_b64") == 0)
            return true;
    }
    return false;
}

static char *wrong_field(struct json_object *result, struct json_object *field)
{
    const char *key = member(field, "key"), *presence = member(field, "presence");
    struct json_object *value = NULL;
    if (!json_object_object_get_ex(result, key, &value))
        return strcmp(presence, "sometimes") == 0 ? NULL : print("%s is missing", key);
    if (!value && strcmp(presence, "or_null") == 0)
        return NULL;
    return has_type(value, member(field, "type")) ? NULL : print("%s is no %s", key, member(field, "type"));
}

/* Whether a result holds the keys that are documented, of the types given there, and no others. */
static char *undocumented(const struct call *call, struct json_object *result)
{
    struct json_object *fields = fields_of(call->operation);
    if (!fields || !json_object_is_type(result, json_type_object))
        return print("the result is no object, or the operation not in the table");
    for (size_t i = 0; i < json_object_array_length(fields); i++) {
        struct json_object *field = json_object_array_get_idx(fields, i);
        if (call->content_apart && strcmp(member(field, "key"), "content") == 0)
            continue;
        char *words = wrong_field(result, field);
        if (words)
            return words;
    }
    json_object_object_foreach(result, key, value)
    {
        (void)value;
        if (!is_documented(fields, key) || (call->content_apart && strcmp(key, "content") == 0))
            return print("%s is not documented", key);
    }
    return NULL;
}

static char *wrong_outputs(const struct call *call, struct json_object *expected)
{
    const electrus_bytes *outputs = call->content_apart ? &call->content : call->outputs;
    size_t count = call->content_apart ? 1 : call->outputs_count;
    if (!expected)
        return NULL;
    if (json_object_array_length(expected) != count)
        return print("%zu contents came back", count);
    for (size_t i = 0; i < count; i++) {
        electrus_bytes content = content_of(json_object_array_get_idx(expected, i));
        bool same = same_bytes(outputs[i], content);
        free((void *)content.data);
        if (!same)
            return print("content %zu is another", i);
    }
    return NULL;
}

static char *wrong_result(const struct call *call, struct json_object *step, struct json_object *result,
                          const char *base)
{
    char *words = undocumented(call, result);
    struct json_object *expected = exact_replace(exact_copy(exact_get(step, "result")), "$BASE", base);
    if (call->content_apart)
        json_object_object_del(expected, "content");
    if (!words && expected)
        words = exact_missing(result, expected);
    json_object_put(expected);
    return words ? words : wrong_outputs(call, exact_get(step, "outputs"));
}

/* What is wrong with an error. */
static char *wrong_error(int32_t status, struct json_object *result, const char *name)
{
    static const char *const keys[] = {"code",     "name",      "message", "path", "path_b64",
                                       "os_error", "retryable", "operation"};
    struct json_object *error = exact_get(result, "error");
    uint64_t code = 0;
    if (strcmp(electrus_code_name(status), name) != 0)
        return print("expected %s, but it is %s", name, electrus_code_name(status));
    if (!exact_count(exact_get(error, "code"), &code) || code != (uint64_t)status)
        return print("the error's code is not the status");
    if (!member(error, "name") || strcmp(member(error, "name"), name) != 0)
        return print("the error's name is not that of the status");
    if (!json_object_is_type(exact_get(error, "retryable"), json_type_boolean) || !exact_text(exact_get(error, "message")))
        return print("the error says too little");
    json_object_object_foreach(error, key, value)
    {
        bool known = false;
        (void)value;
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            known |= strcmp(keys[i], key) == 0;
        if (!known)
            return print("%s of an error is not documented", key);
    }
    return NULL;
}

/* ---- cases --------------------------------------------------------------------------------------------------------- */

/* Puts values of earlier results in place of {"$result": [step, pointer]}; the answer replaces the value. */
static struct json_object *insert_results(struct json_object *value, struct json_object *results)
{
    struct json_object *reference = exact_get(value, "$result"), *found = NULL;
    if (reference) {
        uint64_t step = 0;
        MUST(exact_count(json_object_array_get_idx(reference, 0), &step));
        MUST(json_pointer_get(json_object_array_get_idx(results, step),
                              json_object_get_string(json_object_array_get_idx(reference, 1)), &found) == 0);
        found = exact_copy(found);
        json_object_put(value);
        return found;
    }
    if (json_object_is_type(value, json_type_array))
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            struct json_object *item = json_object_get(json_object_array_get_idx(value, i));
            json_object_array_put_idx(value, i, insert_results(item, results));
        }
    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, key, member)
            json_object_object_add(value, key, insert_results(json_object_get(member), results));
    }
    return value;
}

static size_t open_contents(struct json_object *list, electrus_bytes **contents)
{
    size_t count = list ? json_object_array_length(list) : 0;
    *contents = calloc(count + 1, sizeof **contents);
    for (size_t i = 0; i < count; i++)
        (*contents)[i] = content_of(json_object_array_get_idx(list, i));
    return count;
}

static void close_contents(electrus_bytes *contents, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free((void *)contents[i].data);
    free(contents);
}

static int32_t run_way(struct call *call, enum way way, char **result)
{
    switch (way) {
    case CALL: return run_call(call, result);
    case TASK: return run_task(call, result);
    default: return run_function(call, way == OTHER_FUNCTION, result);
    }
}

/* Runs one step; what is wrong, or NULL. Its result is added to `results`. */
static char *run_step(struct call open, struct json_object *step, enum way way, const char *base,
                      struct json_object *results)
{
    struct call call = open;
    electrus_bytes *contents;
    char *text = NULL, *words = NULL;
    size_t count = open_contents(exact_get(step, "contents"), &contents);
    call.operation = member(step, "operation");
    call.request = exact_replace(exact_copy(exact_get(step, "request")), "$BASE", base);
    call.request = insert_results(call.request, results);
    call.contents = contents;
    call.contents_count = count;
    int32_t status = run_way(&call, way, &text);
    struct json_object *result = text ? exact_parse(text) : NULL;
    const char *error = member(step, "error");
    if (error)
        words = wrong_error(status, result, error);
    else if (status != ELECTRUS_OK)
        words = print("it failed: %s", text);
    else
        words = wrong_result(&call, step, result, base);
    if (words && text)
        printf("    %s gave %.600s\n", call.operation, text);
    json_object_array_add(results, result);
    electrus_free(text);
    electrus_free(call.outputs);
    electrus_free((void *)call.content.data);
    close_contents(contents, count);
    end_call(&call);
    return words;
}

static void open_case(struct call *call, const char *base, struct json_object *options)
{
    char *text = options ? exact_print(options) : NULL;
    call->handler = open_handler(base, text);
    MUST(electrus_handler_versions(call->handler, &call->versions, NULL) == ELECTRUS_OK);
    MUST(electrus_handler_json(call->handler, &call->json, NULL) == ELECTRUS_OK);
    MUST(electrus_handler_backup(call->handler, &call->backup, NULL) == ELECTRUS_OK);
    free(text);
}

static void close_case(struct call *call)
{
    STATUS(ELECTRUS_OK, electrus_handler_close(call->handler, NULL));
    STATUS(ELECTRUS_OK, electrus_versions_close(call->versions, NULL));
    STATUS(ELECTRUS_OK, electrus_json_close(call->json, NULL));
    STATUS(ELECTRUS_OK, electrus_backup_close(call->backup, NULL));
}

static char *run_case(struct json_object *one, enum way way)
{
    char *outside = new_folder(), *words = NULL;
    char *base = print("%s/base", outside);
    struct call call = {0};
    struct json_object *steps = exact_get(one, "steps"), *results = json_object_new_array();
    MUST(mkdir(base, 0777) == 0);
    put_files(base, exact_get(one, "files"));
    open_case(&call, base, exact_get(one, "open"));
    for (size_t i = 0; i < json_object_array_length(steps) && !words; i++) {
        struct json_object *step = json_object_array_get_idx(steps, i), *files = exact_get(step, "outside");
        char *wrong = NULL;
        if (files) {
            put_files(base, files);
            json_object_array_add(results, NULL);
        } else {
            wrong = run_step(call, step, way, base, results);
        }
        if (wrong)
            words = print("step %zu: %s", i, wrong);
        free(wrong);
    }
    if (!words)
        words = wrong_files(base, exact_get(one, "after"));
    close_case(&call);
    json_object_put(results);
    free(base);
    free(outside);
    return words;
}

/* Whether a case has an operation with a second function. */
static bool has_other_function(struct json_object *one)
{
    struct json_object *steps = exact_get(one, "steps");
    for (size_t i = 0; i < json_object_array_length(steps); i++) {
        const char *operation = member(json_object_array_get_idx(steps, i), "operation");
        if (operation && find_function(operation, true) != find_function(operation, false))
            return true;
    }
    return false;
}

static void run_file(const char *folder, const char *name)
{
    static const char *const words[WAYS] = {"call", "task", "function", "other function"};
    char *path = print("%s/conformance/%s.json", folder, name);
    struct json_object *document = exact_parse_file(path), *cases = exact_get(document, "cases");
    int right = 0, wrong = 0;
    MUST(cases != NULL);
    for (size_t i = 0; i < json_object_array_length(cases); i++) {
        struct json_object *one = json_object_array_get_idx(cases, i);
        for (enum way way = CALL; way < WAYS; way++) {
            if (way == OTHER_FUNCTION && !has_other_function(one))
                continue;
            char *what = run_case(one, way);
            if (what) {
                wrong++;
                failed("FAILED  %s: %s (by %s)\n    %s\n", name, member(one, "name"), words[way], what);
            } else {
                right++;
                passed();
            }
            free(what);
        }
    }
    printf("%-10s %zu cases: %d runs passed, %d failed\n", name, json_object_array_length(cases), right, wrong);
    fflush(stdout);
    json_object_put(document);
    free(path);
}

static void every_function_was_used(void)
{
    for (size_t i = 0; i <= adapter_count(); i++)
        if (!CHECK(used[i]))
            printf("    %s\n", adapters[i].operation ? adapters[i].function : "electrus_transaction_begin");
}

int main(int count, char **arguments)
{
    static const char *const names[] = {"files", "history", "json", "backups", "many", "store"};
    MUST(count == 2);
    char *path = print("%s/operations.json", arguments[1]);
    struct json_object *table = exact_parse_file(path);
    operations = exact_get(table, "operations");
    MUST(operations != NULL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        run_file(arguments[1], names[i]);
    printf("%zu functions of operations; %ld steps by a function of their own, %ld that none can say\n",
           adapter_count() + 1, calls_by_function, calls_unfit);
    test("every function that runs an operation was used", every_function_was_used);
    test("nothing is open afterwards", check_nothing_is_open);
    json_object_put(table);
    free(path);
    return finish();
}
