/*
 * Hostile arguments: every export of the table, every parameter of it, with everything that a C program might hand in by
 * mistake, all in one process. Each call must come back with what the header says: the right status, an error document
 * with the same code, nothing left as it was in out-parameters, and nothing open that was not before.
 *
 * A pointer to nowhere cannot be told from another by any C library, and is not tried; handles are no pointers, and any
 * bits at all are tried for these.
 */
#include "check.h"
#include "matrix.h"

#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { AT_MOST = 10, GARBAGE = 0xa5, ROOM = 64, MOST_SAID = 60 };
enum { ANY = -1, SOME_ERROR = -2 };

#define MEBI ((size_t)1 << 20)
#define DEEP 10000

/* One call: baseline arguments of which one is replaced. */
struct attempt {
    const struct export *export;
    int hostile; /* which parameter; -1 for none */
    const char *label;
    int expected; /* a status, ANY or SOME_ERROR */
    union argument arguments[AT_MOST];
    unsigned char out[AT_MOST][ROOM];
    char buffer[ROOM];
};

static void *shared[HANDLE_KINDS]; /* open, of each kind, for calls that do not consume */
static void *closed[HANDLE_KINDS];
static char *huge_object, *huge_key, *huge_value, *huge_brackets, *deep, *deep_value, *long_path, *long_name;
static long calls;
static int64_t open_before, buffers_before;
static char running[256]; /* for the signal handler */
static int serial;        /* for names that must be new */

/* ---- handles ------------------------------------------------------------------------------------------------------- */

static void *open_one(enum handle_kind kind);

static void *open_lock(void)
{
    char name[32];
    electrus_lock *lock = NULL;
    snprintf(name, sizeof name, "held-%d", ++serial);
    MUST(electrus_handler_lock(shared[HANDLER], name, "{\"timeout\":0}", &lock, NULL) == ELECTRUS_OK);
    return lock;
}

static electrus_task *finished(electrus_task *task)
{
    int32_t done = 0;
    MUST(electrus_task_wait(task, 60, &done) == ELECTRUS_OK && done == 1);
    return task;
}

static void *open_task(void)
{
    electrus_task *task = NULL;
    MUST(electrus_task_start(shared[HANDLER], "stat", "{\"path\":\"doc.json\"}", NULL, 0, &task, NULL) == ELECTRUS_OK);
    return finished(task);
}

static void *open_lock_task(void)
{
    char name[32];
    electrus_task *task = NULL;
    snprintf(name, sizeof name, "wanted-%d", ++serial);
    MUST(electrus_task_start_lock(shared[HANDLER], name, "{\"timeout\":0}", &task, NULL) == ELECTRUS_OK);
    return finished(task);
}

#define OPEN(type, call)                  \
    do {                                  \
        type *made = NULL;                \
        MUST((call) == ELECTRUS_OK);      \
        return made;                      \
    } while (0)

static void *open_one(enum handle_kind kind)
{
    electrus_handler *handler = shared[HANDLER];
    switch (kind) {
    case HANDLER: OPEN(electrus_handler, electrus_handler_open(".", NULL, &made, NULL));
    case LOCK: return open_lock();
    case WRITER: OPEN(electrus_writer, electrus_handler_writer(handler, "written.bin", NULL, &made, NULL));
    case READER: OPEN(electrus_reader, electrus_handler_reader(handler, "doc.json", NULL, &made, NULL));
    case CHECKSUM: OPEN(electrus_checksum, electrus_checksum_open(NULL, &made, NULL));
    case BACKUP: OPEN(electrus_backup, electrus_handler_backup(handler, &made, NULL));
    case JSON: OPEN(electrus_json, electrus_handler_json(handler, &made, NULL));
    case VERSIONS: OPEN(electrus_versions, electrus_handler_versions(handler, &made, NULL));
    case TRANSACTION: OPEN(electrus_transaction, electrus_transaction_begin(handler, NULL, &made, NULL));
    case PROGRESS: OPEN(electrus_progress, electrus_progress_open(&made));
    case TASK: return open_task();
    default: return NULL;
    }
}

static int32_t close_one(enum handle_kind kind, void *handle)
{
    switch (kind) {
    case HANDLER: return electrus_handler_close(handle, NULL);
    case LOCK: return electrus_lock_release(handle, NULL);
    case WRITER: return electrus_writer_abort(handle, NULL);
    case READER: return electrus_reader_close(handle, NULL);
    case CHECKSUM: return electrus_checksum_close(handle, NULL);
    case BACKUP: return electrus_backup_close(handle, NULL);
    case JSON: return electrus_json_close(handle, NULL);
    case VERSIONS: return electrus_versions_close(handle, NULL);
    case TRANSACTION: return electrus_transaction_abort(handle, NULL);
    case PROGRESS: return electrus_progress_close(handle);
    case TASK: return electrus_task_close(handle, NULL);
    default: return ELECTRUS_OK;
    }
}

static const char *const kind_names[HANDLE_KINDS] = {"handler", "lock",     "writer",      "reader",   "checksum", "backup",
                                                     "json",    "versions", "transaction", "progress", "task"};

static void count_open(int64_t *handles, int64_t *buffers)
{
    char *usage = NULL, pointer[64];
    MUST(electrus_library_usage(&usage) == ELECTRUS_OK);
    *handles = 0;
    for (int i = 0; i < HANDLE_KINDS; i++) {
        snprintf(pointer, sizeof pointer, "/handles/%s", kind_names[i]);
        *handles += integer(usage, pointer);
    }
    *buffers = integer(usage, "/buffers");
    electrus_free(usage);
}

/* ---- arguments as they are meant ----------------------------------------------------------------------------------- */

struct meant {
    const char *export, *parameter, *text;
};

/* The first that fits; "" is every export. */
static const struct meant meant[] = {
    {"electrus_backup_open", "folder", "backups-apart"},
    {"electrus_handler_rename", "source", "moving.txt"},
    {"electrus_handler_delete", "path", "moving.txt"},
    {"electrus_handler_write", "path", "written.txt"},
    {"electrus_handler_writer", "path", "streamed.txt"},
    {"electrus_atomic_write", "path", "apart.bin"},
    {"electrus_writer_open", "path", "apart.bin"},
    {"electrus_json_write", "path", "other.json"},
    {"electrus_json_set", "path", "other.json"},
    {"electrus_json_merge", "path", "other.json"},
    {"electrus_json_patch", "path", "other.json"},
    {"electrus_json_patch", "patch", "[{\"op\":\"add\",\"path\":\"/c\",\"value\":3}]"},
    {"electrus_result_count", "pointer", "/l"},
    {"electrus_lock_acquire", "options", "{\"timeout\":0}"},
    {"electrus_handler_lock", "options", "{\"timeout\":0}"},
    {"electrus_task_start_lock", "options", "{\"timeout\":0}"},
    {"electrus_task_start_backup", "operation", "backup_list"},
    {"electrus_versions_prune", "options", "{\"keep_last\":1000}"},
    {"electrus_backup_prune", "options", "{\"keep_last\":1000}"},
    {"electrus_handler_transaction", "operations", "[{\"type\":\"write\",\"path\":\"t.txt\",\"content\":0}]"},
    {"electrus_lock_acquire", "path", "locked"},
    {"electrus_handler_lock", "path", "locked"},
    {"electrus_task_start_lock", "path", "locked-by-a-task"},
    {"", "path", "doc.json"},
    {"", "base", "."},
    {"", "folder", "."},
    {"", "from", "imported"},
    {"", "source", "doc.json"},
    {"", "destination", "made.txt"},
    {"", "name", "first"},
    {"", "pointer", "/a"},
    {"", "expected", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"", "tag", "kept"},
    {"", "operation", "verify"},
    {"", "operations", "[{\"type\":\"stat\",\"path\":\"doc.json\"}]"},
    {"", "paths", "[\"doc.json\"]"},
    {"", "data", "{\"a\":1}"},
    {"", "value", "2"},
    {"", "patch", "{\"b\":2}"},
    {"", "result", "{\"a\":1,\"l\":[1]}"},
};

static const char *meant_text(const char *export, const char *parameter)
{
    for (size_t i = 0; i < sizeof meant / sizeof *meant; i++)
        if ((!*meant[i].export || strcmp(meant[i].export, export) == 0) && strcmp(meant[i].parameter, parameter) == 0)
            return meant[i].text;
    return NULL;
}

static void put_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "wb");
    MUST(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* The files that an export needs, and may have taken away the last time. */
static void put_files(const char *export)
{
    if (strcmp(export, "electrus_handler_rename") == 0 || strcmp(export, "electrus_handler_delete") == 0)
        put_file("moving.txt", "moving");
    if (strncmp(export, "electrus_json_", 14) == 0)
        put_file("other.json", "{\"a\":1}");
}

static const electrus_bytes *some_contents(void)
{
    static electrus_bytes contents[1] = {{"abc", 3}};
    return contents;
}

static bool is(const struct attempt *attempt, const char *export)
{
    return strcmp(attempt->export->name, export) == 0;
}

static void *handle_for(const struct attempt *attempt, const struct parameter *parameter)
{
    if (parameter->handle == TASK && is(attempt, "electrus_task_lock"))
        return open_lock_task();
    return parameter->consumed ? open_one(parameter->handle) : shared[parameter->handle];
}

static const void *text_for(const struct attempt *attempt, const struct parameter *parameter)
{
    static char fresh[32];
    if (is(attempt, "electrus_backup_create") && strcmp(parameter->name, "name") == 0) {
        snprintf(fresh, sizeof fresh, "new-%d", ++serial);
        return fresh;
    }
    return meant_text(attempt->export->name, parameter->name);
}

static bool takes_no_contents(const struct attempt *attempt)
{
    return is(attempt, "electrus_handler_call") || is(attempt, "electrus_task_start") ||
           is(attempt, "electrus_handler_batch");
}

static void set_meant(struct attempt *attempt, int index, const struct parameter *parameter)
{
    union argument *argument = &attempt->arguments[index];
    memset(argument, 0, sizeof *argument);
    switch (parameter->kind) {
    case HANDLE: argument->pointer = handle_for(attempt, parameter); break;
    case OPTIONS:
    case DOCUMENT:
    case PATH:
    case NAME: argument->pointer = text_for(attempt, parameter); break;
    case DATA: argument->pointer = "content"; break;
    case BUFFER: argument->pointer = attempt->buffer; break;
    case CONTENTS: argument->pointer = some_contents(); break;
    case LENGTH: {
        bool list = attempt->export->parameters[index - 1].kind == CONTENTS;
        argument->number = !list ? 7 : takes_no_contents(attempt) ? 0 : 1;
        break;
    }
    case NUMBER: argument->number = 1; break;
    case SECONDS: argument->seconds = 0; break;
    case CODE: argument->number = ELECTRUS_E_NOT_FOUND; break;
    case SIZE: argument->number = 16; break;
    case MEMORY: argument->pointer = electrus_alloc(8); break;
    case OUT_HANDLE:
    case OUT_MEMORY:
    case OUT_VALUE:
        memset(attempt->out[index], GARBAGE, ROOM);
        argument->pointer = attempt->out[index];
        break;
    }
}

/* ---- one call ------------------------------------------------------------------------------------------------------ */

static const char *hostile_name(const struct attempt *attempt)
{
    return attempt->hostile < 0 ? "everything" : attempt->export->parameters[attempt->hostile].name;
}

static bool complain(const struct attempt *attempt, const char *format, ...)
{
    static int said;
    va_list arguments;
    va_start(arguments, format);
    if (++said <= MOST_SAID) {
        printf("    %s, %s = %s: ", attempt->export->name, hostile_name(attempt), attempt->label);
        vprintf(format, arguments);
        printf("\n");
    }
    va_end(arguments);
    return false;
}

static bool is_out(const struct parameter *parameter)
{
    return parameter->kind == OUT_HANDLE || parameter->kind == OUT_MEMORY || parameter->kind == OUT_VALUE;
}

static bool is_clear(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return false;
    return true;
}

static bool is_result(const struct parameter *parameter)
{
    return parameter->kind == OUT_MEMORY && strcmp(parameter->name, "result") == 0;
}

/* After an error: one document with the code; everything else is cleared. */
static bool right_after_an_error(const struct attempt *attempt, int32_t status)
{
    bool right = true;
    for (int i = 0; attempt->export->parameters[i].name; i++) {
        const struct parameter *parameter = &attempt->export->parameters[i];
        if (!is_out(parameter) || !attempt->arguments[i].pointer)
            continue;
        if (!is_result(parameter)) {
            if (!is_clear(attempt->out[i], parameter->size))
                right = complain(attempt, "%s, and `%s` is not cleared", electrus_code_name(status), parameter->name);
            continue;
        }
        char *result;
        memcpy(&result, attempt->out[i], sizeof result);
        if (integer(result, "/error/code") != status)
            right = complain(attempt, "%s, but the result is %.200s", electrus_code_name(status),
                             result ? result : "NULL");
    }
    return right;
}

static bool right_after_success(const struct attempt *attempt)
{
    for (int i = 0; attempt->export->parameters[i].name; i++) {
        char *result = NULL;
        size_t count = 0;
        if (!is_result(&attempt->export->parameters[i]) || !attempt->arguments[i].pointer)
            continue;
        memcpy(&result, attempt->out[i], sizeof result);
        if (result && electrus_result_count(result, "", &count) != ELECTRUS_OK)
            return complain(attempt, "the result is no object: %.200s", result);
    }
    return true;
}

static bool right_status(const struct attempt *attempt, int32_t status)
{
    if (strcmp(electrus_code_name(status), "unknown") == 0)
        return complain(attempt, "%d is no status", (int)status);
    if (status == ELECTRUS_E_PANIC || status == ELECTRUS_E_INTERNAL)
        return complain(attempt, "%s", electrus_code_name(status));
    if (attempt->expected == ANY || attempt->expected == status ||
        (attempt->expected == SOME_ERROR && status != ELECTRUS_OK))
        return true;
    char *result = NULL;
    for (int i = 0; attempt->export->parameters[i].name; i++)
        if (is_result(&attempt->export->parameters[i]) && attempt->arguments[i].pointer)
            memcpy(&result, attempt->out[i], sizeof result);
    return complain(attempt, "%s and not %s: %.200s", electrus_code_name(status),
                    attempt->expected == SOME_ERROR ? "an error" : electrus_code_name(attempt->expected),
                    result ? result : "");
}

/* Gives back what came out. */
static void release_outs(struct attempt *attempt)
{
    for (int i = 0; attempt->export->parameters[i].name; i++) {
        const struct parameter *parameter = &attempt->export->parameters[i];
        void *pointer = NULL;
        memcpy(&pointer, attempt->out[i], sizeof pointer);
        if (!is_out(parameter) || !attempt->arguments[i].pointer || pointer == NULL)
            continue;
        if (parameter->kind == OUT_MEMORY)
            electrus_free(pointer);
        if (parameter->kind == OUT_HANDLE)
            close_one(parameter->handle, pointer);
    }
}

/* A consumed handle is gone, whatever the status was. */
static bool handle_is_gone(const struct attempt *attempt, void *const *given)
{
    bool right = true;
    for (int i = 0; attempt->export->parameters[i].name; i++) {
        const struct parameter *parameter = &attempt->export->parameters[i];
        if (parameter->kind != HANDLE || !parameter->consumed)
            continue;
        bool used = attempt->arguments[i].pointer == given[i];
        if (close_one(parameter->handle, given[i]) == ELECTRUS_OK && used)
            right = complain(attempt, "`%s` is still open", parameter->name);
    }
    return right;
}

static bool nothing_more_is_open(const struct attempt *attempt)
{
    int64_t handles, buffers;
    bool right = true;
    count_open(&handles, &buffers);
    if (handles != open_before || buffers != buffers_before)
        right = complain(attempt, "%d handles and %d buffers are left", (int)(handles - open_before),
                         (int)(buffers - buffers_before));
    open_before = handles;
    buffers_before = buffers;
    return right;
}

/* A call may have closed what it should not have: opens everything again, so that the others are tried all the same. */
static void open_again(void)
{
    for (int kind = 0; kind < HANDLE_KINDS; kind++) {
        close_one((enum handle_kind)kind, shared[kind]);
        shared[kind] = open_one((enum handle_kind)kind);
    }
    count_open(&open_before, &buffers_before);
}

static bool right_answer(struct attempt *attempt, intptr_t answer)
{
    switch (attempt->export->answer) {
    case STATUS_CODE:
        if (!right_status(attempt, (int32_t)answer))
            return false;
        return answer ? right_after_an_error(attempt, (int32_t)answer) : right_after_success(attempt);
    case TEXT: return answer && *(const char *)answer ? true : complain(attempt, "no text");
    case PLAIN_NUMBER: return answer == ELECTRUS_ABI_VERSION ? true : complain(attempt, "another number");
    case OWNED_MEMORY: electrus_free((void *)answer); return true;
    default: return true;
    }
}

/* Sets the hostile argument (and that of the length beside it). */
typedef void change(struct attempt *attempt, int index, const void *pointer, uint64_t number, double seconds);

struct hostile {
    const char *label;
    const void *pointer;
    uint64_t number;
    double seconds;
    int expected;
};

static void try(const struct export *export, int index, struct hostile value, change *set)
{
    struct attempt attempt = {.export = export, .hostile = index, .label = value.label, .expected = value.expected};
    void *given[AT_MOST] = {0};
    put_files(export->name);
    for (int i = 0; export->parameters[i].name; i++) {
        MUST(i < AT_MOST);
        set_meant(&attempt, i, &export->parameters[i]);
        given[i] = (void *)attempt.arguments[i].pointer;
    }
    set(&attempt, index, value.pointer, value.number, value.seconds);
    snprintf(running, sizeof running, "%s, %s = %s", export->name, index < 0 ? "everything" : export->parameters[index].name,
             value.label);
    alarm(60);
    calls++;
    intptr_t answer = export->call(attempt.arguments);
    alarm(0);
    bool right = right_answer(&attempt, answer);
    release_outs(&attempt);
    right &= handle_is_gone(&attempt, given);
    for (int i = 0; export->parameters[i].name; i++)
        if (export->parameters[i].kind == MEMORY)
            electrus_free(given[i]); /* unless it is gone already */
    if (!nothing_more_is_open(&attempt)) {
        right = false;
        open_again();
    }
    if (right)
        passed();
    else
        failed("%s", "");
}

static void as_meant(struct attempt *attempt, int index, const void *pointer, uint64_t number, double seconds)
{
    (void)attempt, (void)index, (void)pointer, (void)number, (void)seconds;
}

static void set_pointer(struct attempt *attempt, int index, const void *pointer, uint64_t number, double seconds)
{
    (void)number, (void)seconds;
    attempt->arguments[index].pointer = pointer;
}

static void set_number(struct attempt *attempt, int index, const void *pointer, uint64_t number, double seconds)
{
    (void)pointer, (void)seconds;
    attempt->arguments[index].number = number;
}

static void set_seconds(struct attempt *attempt, int index, const void *pointer, uint64_t number, double seconds)
{
    (void)pointer, (void)number;
    attempt->arguments[index].seconds = seconds;
}

/* A length, with the pointer before it. */
static void set_both(struct attempt *attempt, int index, const void *pointer, uint64_t number, double seconds)
{
    (void)seconds;
    attempt->arguments[index - 1].pointer = pointer;
    attempt->arguments[index].number = number;
}

static void set_length_only(struct attempt *attempt, int index, const void *pointer, uint64_t number, double seconds)
{
    (void)pointer, (void)seconds;
    attempt->arguments[index].number = number;
}

/* Everything at once: consumed handles that were made for it are closed by `try`. */
static void set_all(struct attempt *attempt, int index, const void *pointer, uint64_t number, double seconds)
{
    (void)index, (void)pointer, (void)seconds;
    for (int i = 0; attempt->export->parameters[i].name; i++)
        if (number == 0 || attempt->export->parameters[i].kind == HANDLE)
            attempt->arguments[i].number = number;
}

/* ---- what is hostile ----------------------------------------------------------------------------------------------- */

static uint64_t random_bits(void)
{
    static uint64_t state = 0x9e3779b97f4a7c15u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* Whether the operation runs later, and what is wrong is told then. */
static bool is_told_later(const struct export *export)
{
    return strncmp(export->name, "electrus_task_start", 19) == 0 && strcmp(export->name, "electrus_task_start_lock") != 0;
}

static bool is_staged(const struct export *export)
{
    return strncmp(export->name, "electrus_transaction_", 21) == 0;
}

static void hostile_handles(const struct export *export, int index)
{
    const struct parameter *parameter = &export->parameters[index];
    bool allowed = parameter->null == NULL_IS_ALLOWED;
    const void *mine = shared[parameter->handle];
    int local = 0;
    try(export, index, (struct hostile){"NULL", NULL, 0, 0, allowed ? ELECTRUS_OK : ELECTRUS_E_INVALID_HANDLE}, set_pointer);
    try(export, index, (struct hostile){"closed", closed[parameter->handle], 0, 0, ELECTRUS_E_INVALID_HANDLE}, set_pointer);
    for (int kind = 0; kind < HANDLE_KINDS; kind++)
        if (kind != (int)parameter->handle) {
            char *label = print("a %s handle", kind_names[kind]);
            try(export, index, (struct hostile){label, shared[kind], 0, 0, ELECTRUS_E_INVALID_HANDLE}, set_pointer);
            free(label);
        }
    try(export, index, (struct hostile){"a pointer to the stack", &local, 0, 0, ELECTRUS_E_INVALID_HANDLE}, set_pointer);
    try(export, index, (struct hostile){"a pointer to text", "text", 0, 0, ELECTRUS_E_INVALID_HANDLE}, set_pointer);
    for (int bit = 0; bit < 64; bit += 7)
        try(export, index,
            (struct hostile){"one bit off", NULL, (uintptr_t)mine ^ (uint64_t)1 << bit, 0, ELECTRUS_E_INVALID_HANDLE},
            set_number);
    for (int i = 0; i < 8; i++)
        try(export, index, (struct hostile){"random bits", NULL, random_bits(), 0, ELECTRUS_E_INVALID_HANDLE}, set_number);
    try(export, index, (struct hostile){"all bits", NULL, UINT64_MAX, 0, ELECTRUS_E_INVALID_HANDLE}, set_number);
}

static void hostile_json(const struct export *export, int index, bool object)
{
    static const char *const malformed[] = {
        "",         "{",           "{\"a\":}",     "{\"a\" 1}", "{} {}",  "nonsense", "{\"a\":1,}", "{'a':1}",
        "[1,2",     "\"",          "{\"a\":01}",   "{\"a\":NaN}", "\xef\xbb\xbf{}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\x01\"}",
        "{\"a\":1,\"a\":2}"};
    const struct hostile others[] = {
        {"10,000 deep", deep, 0, 0, SOME_ERROR},
        {"10,000 deep, as a value", deep_value, 0, 0, SOME_ERROR},
        {"many brackets", huge_brackets, 0, 0, ELECTRUS_E_INVALID_JSON},
        {"not UTF-8", "{\"\xff\xfe\":1}", 0, 0, SOME_ERROR},
        {"cut UTF-8", "{\"a\":\"\xe2\x82\"}", 0, 0, SOME_ERROR},
    };
    const struct hostile no_objects[] = {
        {"a list", "[]", 0, 0, ELECTRUS_E_INVALID_ARGUMENT},
        {"a number", "5", 0, 0, ELECTRUS_E_INVALID_ARGUMENT},
        {"a text", "\"text\"", 0, 0, ELECTRUS_E_INVALID_ARGUMENT},
        {"true", "true", 0, 0, ELECTRUS_E_INVALID_ARGUMENT},
        {"null", "null", 0, 0, ANY},
    };
    const struct parameter *parameter = &export->parameters[index];
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++)
        try(export, index, (struct hostile){"malformed", malformed[i], 0, 0, ELECTRUS_E_INVALID_JSON}, set_pointer);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        try(export, index, others[i], set_pointer);
    if (object)
        for (size_t i = 0; i < sizeof no_objects / sizeof *no_objects; i++)
            try(export, index, no_objects[i], set_pointer);
    int null = parameter->null == NULL_IS_ALLOWED ? ELECTRUS_OK : ELECTRUS_E_INVALID_ARGUMENT;
    if (strstr(export->name, "_prune"))
        null = ANY; /* without a rule it is an error of its own */
    try(export, index, (struct hostile){"NULL", NULL, 0, 0, null}, set_pointer);
}

/* Values that are wrong for a type, ended by NULL. */
static const char *const *wrong_values(const char *type)
{
    static const struct {
        const char *type;
        const char *values[10];
    } wrong[] = {
        {"flag", {"1", "\"yes\"", "[]", "{}", "1.5", NULL}},
        {"count", {"-1", "1.5", "\"1\"", "true", "[]", "{}", "1e30", "99999999999999999999", NULL}},
        {"seconds", {"\"1\"", "true", "[]", "{}", NULL}},
        {"path", {"5", "true", "[]", "{}", NULL}},
        {"text", {"5", "true", "[]", "{}", NULL}},
        {"paths", {"5", "\"a\"", "{}", "[5]", "[[]]", NULL}},
        {"texts", {"5", "\"a\"", "{}", "[5]", "[[]]", NULL}},
        {"version", {"true", "[]", "{}", "-1", "1.5", "\"no record\"", NULL}},
        {"checksum", {"5", "true", "[]", "\"xyz\"", "\"none-such:00\"", NULL}},
        {"algorithm", {"5", "true", "[]", "\"none-such\"", "\"\"", NULL}},
        {"algorithms", {"5", "\"md5\"", "{}", "[5]", "[\"none-such\"]", NULL}},
        {"durability", {"5", "true", "[]", "\"most\"", "\"\"", NULL}},
        {"mode", {"true", "[]", "\"rwx\"", "\"9\"", "\"77777777777\"", NULL}},
        {"lock", {"-1", "1.5", "\"x\"", "true", "[]", "18446744073709551615", "3", NULL}},
        {"time", {"5", "\"yesterday\"", "[]", NULL}},
        {"operations", {"5", "{}", "[5]", "\"x\"", NULL}},
        {"content", {"-1", "\"x\"", "18446744073709551615", "1.5", NULL}},
        {"json", {NULL}},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (strcmp(wrong[i].type, type) == 0)
            return wrong[i].values;
    MUST(!"a type of an option that is not known here");
    return NULL;
}

static void hostile_option(const struct export *export, int index, const struct option *option)
{
    bool handle = strcmp(option->key, "progress") == 0;
    bool begin = strcmp(export->name, "electrus_transaction_begin") == 0;
    int expected = is_told_later(export) || (is_staged(export) && !begin) ? ANY : SOME_ERROR;
    char *wrong_type = print("`%s` of a wrong type", option->key), *wrong_kind = print("`%s` of none of this kind", option->key);
    for (const char *const *value = wrong_values(option->type); *value; value++) {
        char *text = print("{\"%s\":%s}", option->key, *value);
        try(export, index, (struct hostile){wrong_type, text, 0, 0, expected}, set_pointer);
        free(text);
    }
    if (handle || strcmp(option->type, "lock") == 0) {
        enum handle_kind kind = handle ? PROGRESS : LOCK;
        const void *const numbers[] = {closed[kind], shared[kind == LOCK ? PROGRESS : LOCK], shared};
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
            char *text = print("{\"%s\":%llu}", option->key, (unsigned long long)(uintptr_t)numbers[i]);
            try(export, index, (struct hostile){wrong_kind, text, 0, 0, expected}, set_pointer);
            free(text);
        }
    }
    free(wrong_type);
    free(wrong_kind);
}

static void hostile_options(const struct export *export, int index)
{
    int unknown = is_told_later(export) ? ANY : ELECTRUS_E_UNKNOWN_OPTION;
    const struct hostile objects[] = {
        {"an unknown key", "{\"no_such_option\":1}", 0, 0, unknown},
        {"an empty key", "{\"\":1}", 0, 0, unknown},
        {"a key of another case", "{\"Timeout\":1}", 0, 0, unknown},
        {"a key of NUL", "{\"\\u0000\":1}", 0, 0, unknown},
        {"64 MiB with an unknown key", huge_object, 0, 0, unknown},
        {"much in an unknown key", huge_key, 0, 0, is_told_later(export) ? ANY : SOME_ERROR},
        {"much in a value", huge_value, 0, 0, is_told_later(export) ? ANY : SOME_ERROR},
    };
    hostile_json(export, index, true);
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++)
        try(export, index, objects[i], set_pointer);
    for (const struct option *option = export->options; option->key; option++)
        hostile_option(export, index, option);
}

static bool is_beneath_a_base(const struct export *export)
{
    return export->parameters[0].kind == HANDLE && export->parameters[0].handle != BACKUP &&
           strcmp(export->name, "electrus_task_start_lock") != 0 && strcmp(export->name, "electrus_handler_import") != 0;
}

static void hostile_paths(const struct export *export, int index)
{
    const struct parameter *parameter = &export->parameters[index];
    int later = is_told_later(export) || is_staged(export) || strcmp(export->name, "electrus_task_start_lock") == 0;
    int escape = is_beneath_a_base(export) && !later ? ELECTRUS_E_PATH_ESCAPE : ANY;
    int reserved = is_beneath_a_base(export) && !later ? ELECTRUS_E_RESERVED_NAME : ANY;
    /* A backup folder need not exist yet, and nobody holds the lock of a name that cannot be. */
    bool no_file = strcmp(export->name, "electrus_backup_open") == 0 || strcmp(export->name, "electrus_handler_locks") == 0;
    const struct hostile paths[] = {
        {"NULL", NULL, 0, 0, parameter->null == NULL_IS_ALLOWED ? ELECTRUS_OK : ELECTRUS_E_INVALID_ARGUMENT},
        {"empty", "", 0, 0, ANY},
        {"not UTF-8", "\xff\xfe\x80", 0, 0, ANY},
        {"not UTF-8, in a folder", "\xc3\x28/\xed\xa0\x80", 0, 0, ANY},
        {"out of the base", "../x", 0, 0, escape},
        {"out of the base, later", "a/../../x", 0, 0, escape},
        {"below a file", "doc.json/below", 0, 0, ANY},
        {"the store's", is_beneath_a_base(export) ? ".electrus/x" : ".electrus", 0, 0, reserved},
        {"a dot", "./.", 0, 0, ANY},
        {"control characters", "a\x01\n\x7f", 0, 0, ANY},
        {"1 MiB", long_path, 0, 0, later || no_file ? ANY : SOME_ERROR},
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        try(export, index, paths[i], set_pointer);
}

static void hostile_names(const struct export *export, int index)
{
    const struct parameter *parameter = &export->parameters[index];
    int later = is_told_later(export) && strcmp(parameter->name, "operation") != 0;
    const struct hostile names[] = {
        {"NULL", NULL, 0, 0, parameter->null == NULL_IS_ALLOWED ? ELECTRUS_OK : ELECTRUS_E_INVALID_ARGUMENT},
        {"not UTF-8", "\xff", 0, 0, later ? ANY : ELECTRUS_E_NOT_UTF8},
        {"half a surrogate", "\xed\xa0\x80", 0, 0, later ? ANY : ELECTRUS_E_NOT_UTF8},
        {"empty", "", 0, 0, ANY},
        {"a path", "../../x", 0, 0, ANY},
        {"control characters", "\x01\n\x7f", 0, 0, ANY},
        {"65 MiB", long_name, 0, 0, SOME_ERROR},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        try(export, index, names[i], set_pointer);
}

static void hostile_lengths(const struct export *export, int index)
{
    const struct parameter *before = &export->parameters[index - 1];
    bool list = before->kind == CONTENTS;
    int empty = list ? ANY : ELECTRUS_OK; /* a list may be needed */
    const struct hostile with_null[] = {
        {"0, of NULL", NULL, 0, 0, empty},
        {"1, of NULL", NULL, 1, 0, ELECTRUS_E_INVALID_ARGUMENT},
        {"huge, of NULL", NULL, (uint64_t)PTRDIFF_MAX, 0, ELECTRUS_E_INVALID_ARGUMENT},
        {"SIZE_MAX, of NULL", NULL, SIZE_MAX, 0, ELECTRUS_E_INVALID_ARGUMENT},
    };
    const struct hostile with_pointer[] = {
        {"0", NULL, 0, 0, empty},
        {"SIZE_MAX", NULL, SIZE_MAX, 0, ELECTRUS_E_INVALID_ARGUMENT},
        {"more than there can be", NULL, (uint64_t)PTRDIFF_MAX + 1, 0, ELECTRUS_E_INVALID_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof with_null / sizeof *with_null; i++)
        try(export, index, with_null[i], set_both);
    for (size_t i = 0; i < sizeof with_pointer / sizeof *with_pointer; i++)
        try(export, index, with_pointer[i], set_length_only);
    if (list) {
        const electrus_bytes null = {NULL, 1}, huge = {NULL, SIZE_MAX}, endless = {"x", SIZE_MAX};
        try(export, index, (struct hostile){"1, with NULL in it", &null, 1, 0, ELECTRUS_E_INVALID_ARGUMENT}, set_both);
        try(export, index, (struct hostile){"1, with SIZE_MAX of NULL in it", &huge, 1, 0, ELECTRUS_E_INVALID_ARGUMENT},
            set_both);
        try(export, index, (struct hostile){"1, with SIZE_MAX in it", &endless, 1, 0, ELECTRUS_E_INVALID_ARGUMENT}, set_both);
    }
}

static void hostile_numbers(const struct export *export, int index)
{
    bool offset = strcmp(export->parameters[index].name, "offset") == 0;
    const struct hostile numbers[] = {
        {"0", NULL, 0, 0, offset ? ELECTRUS_OK : SOME_ERROR},
        {"INT64_MAX", NULL, INT64_MAX, 0, offset ? ELECTRUS_OK : SOME_ERROR},
        {"INT64_MAX + 1", NULL, (uint64_t)INT64_MAX + 1, 0, offset ? ELECTRUS_E_INVALID_ARGUMENT : SOME_ERROR},
        {"UINT64_MAX", NULL, UINT64_MAX, 0, offset ? ELECTRUS_E_INVALID_ARGUMENT : SOME_ERROR},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        try(export, index, numbers[i], set_number);
}

static void hostile_seconds(const struct export *export, int index)
{
    const struct hostile seconds[] = {
        {"NaN", NULL, 0, NAN, ELECTRUS_E_INVALID_ARGUMENT},
        {"-NaN", NULL, 0, -NAN, ELECTRUS_E_INVALID_ARGUMENT},
        {"infinite", NULL, 0, INFINITY, ANY},
        {"-infinite", NULL, 0, -INFINITY, ANY},
        {"-1", NULL, 0, -1, ELECTRUS_OK},
        {"-0", NULL, 0, -0.0, ELECTRUS_OK},
        {"tiny", NULL, 0, 5e-324, ELECTRUS_OK},
        {"1e300", NULL, 0, 1e300, ANY},
        {"1e19", NULL, 0, 1e19, ANY},
    };
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++)
        try(export, index, seconds[i], set_seconds);
}

static void hostile_codes(const struct export *export, int index)
{
    static const int32_t codes[] = {0, -1, 1, 8, 185, 99999, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        try(export, index, (struct hostile){"a code", NULL, (uint64_t)(int64_t)codes[i], 0, ANY}, set_number);
}

static void hostile_sizes(const struct export *export, int index)
{
    static const uint64_t sizes[] = {0, 1, SIZE_MAX, SIZE_MAX - 15, (uint64_t)PTRDIFF_MAX, (uint64_t)PTRDIFF_MAX + 1,
                                     (uint64_t)1 << 46};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        try(export, index, (struct hostile){"a size", NULL, sizes[i], 0, ANY}, set_number);
}

static void hostile_memory(const struct export *export, int index)
{
    char *mine = malloc(16), *given = electrus_alloc(16), *gone = electrus_alloc(16);
    int local = 0;
    electrus_free(gone);
    const struct hostile pointers[] = {
        {"NULL", NULL, 0, 0, ANY},
        {"the caller's own", mine, 0, 0, ANY},
        {"of the stack", &local, 0, 0, ANY},
        {"a text", "text", 0, 0, ANY},
        {"the middle of a block", given + 1, 0, 0, ANY},
        {"given back already", gone, 0, 0, ANY},
        {"a handle", shared[HANDLER], 0, 0, ANY},
        {"the library's text", electrus_version(), 0, 0, ANY},
    };
    count_open(&open_before, &buffers_before);
    for (size_t i = 0; i < sizeof pointers / sizeof *pointers; i++)
        try(export, index, pointers[i], set_pointer);
    for (int i = 0; i < 32; i++)
        try(export, index, (struct hostile){"random bits", NULL, random_bits(), 0, ANY}, set_number);
    mine[15] = given[15] = 'x'; /* both are still there */
    electrus_free(given);
    free(mine);
    count_open(&open_before, &buffers_before);
}

static void hostile_pointer(const struct export *export, int index)
{
    const struct parameter *parameter = &export->parameters[index];
    int expected = parameter->null == NULL_IS_ALLOWED ? ELECTRUS_OK : ELECTRUS_E_INVALID_ARGUMENT;
    if (parameter->kind == CONTENTS && parameter->null == NULL_IF_EMPTY && strstr("electrus_handler_call electrus_task_start electrus_handler_batch", export->name))
        expected = ELECTRUS_OK; /* as it is meant, there are none */
    try(export, index, (struct hostile){"NULL", NULL, 0, 0, expected}, set_pointer);
}

static void hostile_parameter(const struct export *export, int index)
{
    switch (export->parameters[index].kind) {
    case HANDLE: hostile_handles(export, index); break;
    case OPTIONS: hostile_options(export, index); break;
    case DOCUMENT: hostile_json(export, index, false); break;
    case PATH: hostile_paths(export, index); break;
    case NAME: hostile_names(export, index); break;
    case LENGTH: hostile_lengths(export, index); break;
    case NUMBER: hostile_numbers(export, index); break;
    case SECONDS: hostile_seconds(export, index); break;
    case CODE: hostile_codes(export, index); break;
    case SIZE: hostile_sizes(export, index); break;
    case MEMORY: hostile_memory(export, index); break;
    default: hostile_pointer(export, index); break;
    }
}

/* ---- the world around it ------------------------------------------------------------------------------------------- */

/* Says where it was: only what may be called in a signal handler. */
static void died(int number)
{
    static const char crashed[] = "crashed in ", hung[] = "hangs in ";
    ssize_t ignored = number == SIGALRM ? write(1, hung, sizeof hung - 1) : write(1, crashed, sizeof crashed - 1);
    ignored += write(1, running, strlen(running));
    ignored += write(1, "\n", 1);
    (void)ignored;
    _exit(3);
}

static void watch(void)
{
    static const int signals[] = {SIGALRM, SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE};
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = died;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &action, NULL);
}

static char *filled(const char *begin, char fill, size_t count, const char *end)
{
    size_t before = strlen(begin), after = strlen(end);
    char *text = malloc(before + count + after + 1);
    MUST(text != NULL);
    memcpy(text, begin, before);
    memset(text + before, fill, count);
    memcpy(text + before + count, end, after + 1);
    return text;
}

static void make_texts(void)
{
    char *brackets = filled("", '[', DEEP, ""), *closing = filled("", ']', DEEP, "");
    /* Each of these goes to every export, and the second is in the error as well: 64 MiB each only in the long mode. */
    size_t much = (long_mode() ? 64 : 4) * MEBI;
    huge_object = filled("", ' ', 64 * MEBI, "{\"no_such_option\":1}");
    huge_key = filled("{\"", 'k', much, "\":1}");
    huge_value = filled("{\"no_such_option\":\"", 'v', much, "\"}");
    huge_brackets = filled("", '[', much, "");
    deep = print("%s%s", brackets, closing);
    deep_value = print("{\"no_such_option\":%s%s}", brackets, closing);
    long_path = filled("", 'p', MEBI, "");
    long_name = filled("", 'n', 65 * MEBI, "");
    free(brackets);
    free(closing);
}

static void free_texts(void)
{
    char *texts[] = {huge_object, huge_key, huge_value, huge_brackets, deep, deep_value, long_path, long_name};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(texts[i]);
}

/* A base two folders below the one that is removed: what leaves it by mistake is found there, and goes away with it. */
static void enter_base(void)
{
    char *folder = new_folder();
    MUST(chdir(folder) == 0 && mkdir("out", 0777) == 0 && mkdir("out/base", 0777) == 0 && chdir("out/base") == 0);
    MUST(mkdir("a", 0777) == 0 && mkdir("imported", 0777) == 0 && mkdir("imported/.versions", 0777) == 0);
    free(folder);
}

static void open_world(void)
{
    electrus_versions *versions = NULL;
    electrus_backup *backup = NULL;
    shared[HANDLER] = open_one(HANDLER);
    write_text(shared[HANDLER], "doc.json", "{\"a\":1}", NULL);
    write_text(shared[HANDLER], "doc.json", "{\"a\":1,\"b\":2}", NULL);
    MUST(electrus_handler_versions(shared[HANDLER], &versions, NULL) == ELECTRUS_OK);
    MUST(electrus_versions_tag(versions, "doc.json", 1, "kept", NULL, NULL) == ELECTRUS_OK);
    MUST(electrus_versions_close(versions, NULL) == ELECTRUS_OK);
    MUST(electrus_handler_backup(shared[HANDLER], &backup, NULL) == ELECTRUS_OK);
    MUST(electrus_backup_create(backup, "first", "[\"doc.json\"]", NULL, NULL) == ELECTRUS_OK);
    MUST(electrus_backup_close(backup, NULL) == ELECTRUS_OK);
    for (int kind = 0; kind < HANDLE_KINDS; kind++) {
        closed[kind] = open_one((enum handle_kind)kind);
        MUST(close_one((enum handle_kind)kind, closed[kind]) == ELECTRUS_OK);
        if (kind != HANDLER)
            shared[kind] = open_one((enum handle_kind)kind);
    }
}

static void close_world(void)
{
    for (int kind = HANDLE_KINDS; kind-- > 0;)
        STATUS(ELECTRUS_OK, close_one((enum handle_kind)kind, shared[kind]));
}

static void ordinary_use_goes_on(void)
{
    char *result = NULL;
    write_text(shared[HANDLER], "afterwards.txt", "as ever", NULL);
    CHECK(holds_text(shared[HANDLER], "afterwards.txt", "as ever"));
    STATUS(ELECTRUS_OK, electrus_handler_verify(shared[HANDLER], NULL, &result));
    CHECK(integer(result, "/ok") == 1);
    if (integer(result, "/ok") != 1)
        printf("    %s\n", result);
    electrus_free(result);
    close_world();
}

static void nothing_left_the_base(void)
{
    CHECK(access("../../x", F_OK) != 0); /* "../../x" may be an ordinary path; no export takes one as a name */
}

int main(void)
{
    watch();
    make_texts();
    enter_base();
    open_world();
    count_open(&open_before, &buffers_before);
    int count = 0;
    for (const struct export *export = exports; export->name; export++, count++) {
        double begin = now();
        try(export, -1, (struct hostile){"as it is meant", NULL, 0, 0, ELECTRUS_OK}, as_meant);
        for (int i = 0; export->parameters[i].name; i++)
            hostile_parameter(export, i);
        try(export, -1, (struct hostile){"0", NULL, 0, 0, ANY}, set_all);
        try(export, -1, (struct hostile){"random handles", NULL, random_bits(), 0, ANY}, set_all);
        if (now() - begin > 10)
            printf("    %s took %.1f s\n", export->name, now() - begin);
    }
    free_texts();
    printf("%ld hostile calls of %d exports\n", calls, count);
    test("ordinary use goes on, and the store is whole", ordinary_use_goes_on);
    test("nothing is open afterwards", check_nothing_is_open);
    test("no name has left the base", nothing_left_the_base);
    return finish();
}
