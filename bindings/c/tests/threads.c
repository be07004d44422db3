/* Handles that many threads use at once, and that are closed meanwhile; and memory that is given back twice. */
#include "check.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 8 };

static electrus_handler *handler; /* for what is not under test */

static void sleep_ms(long milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* ---- closing a handle that is in use -------------------------------------------------------------------------------- */

/* One kind of handle: how it is made, used and closed. `use` gives a status; `close` may be one of two ways. */
struct kind {
    const char *name;
    void *(*open)(void);
    int32_t (*use)(void *handle, int round);
    int32_t (*close)(void *handle);
};

static void *open_handler_(void)
{
    return open_handler(".", NULL);
}

static int32_t use_handler(void *handle, int round)
{
    if (round % 16 == 0)
        return electrus_handler_write(handle, "w.txt", "x", 1, "{\"durability\":\"none\",\"create_version\":false}", NULL);
    return electrus_handler_stat(handle, "doc.json", NULL, NULL);
}

static int32_t close_handler(void *handle)
{
    return electrus_handler_close(handle, NULL);
}

static void *open_lock(void)
{
    electrus_lock *lock = NULL;
    MUST(electrus_handler_lock(handler, "locked.txt", NULL, &lock, NULL) == ELECTRUS_OK);
    return lock;
}

/* Also writes under the lock: its release must wait for that. */
static int32_t use_lock(void *handle, int round)
{
    char options[128];
    if (round % 16)
        return electrus_lock_show(handle, NULL);
    snprintf(options, sizeof options, "{\"lock\":%llu,\"durability\":\"none\",\"create_version\":false}",
             (unsigned long long)(uintptr_t)handle);
    return electrus_handler_write(handler, "locked.txt", "x", 1, options, NULL);
}

static int32_t close_lock(void *handle)
{
    return electrus_lock_release(handle, NULL);
}

static void *open_writer(void)
{
    electrus_writer *writer = NULL;
    MUST(electrus_handler_writer(handler, "s.txt", "{\"durability\":\"none\",\"create_version\":false}", &writer, NULL) ==
         ELECTRUS_OK);
    return writer;
}

static int32_t use_writer(void *handle, int round)
{
    (void)round;
    return electrus_writer_write(handle, "0123456789", 10, NULL);
}

static int32_t commit_writer(void *handle)
{
    return electrus_writer_commit(handle, NULL);
}

static int32_t abort_writer(void *handle)
{
    return electrus_writer_abort(handle, NULL);
}

static void *open_reader(void)
{
    electrus_reader *reader = NULL;
    MUST(electrus_handler_reader(handler, "doc.json", "{\"version\":1}", &reader, NULL) == ELECTRUS_OK);
    return reader;
}

static int32_t use_reader(void *handle, int round)
{
    char buffer[4];
    size_t count = 0;
    int32_t status = electrus_reader_read_at(handle, (uint64_t)round % 3, buffer, sizeof buffer, &count, NULL);
    if (status == ELECTRUS_OK)
        CHECK(count == 4 && memcmp(buffer, "{\"a\":1}" + round % 3, 4) == 0);
    return status;
}

static int32_t close_reader(void *handle)
{
    return electrus_reader_close(handle, NULL);
}

static void *open_checksum(void)
{
    electrus_checksum *checksum = NULL;
    MUST(electrus_checksum_open("{\"algorithms\":[\"blake3\",\"sha256\"]}", &checksum, NULL) == ELECTRUS_OK);
    return checksum;
}

static int32_t use_checksum(void *handle, int round)
{
    (void)round;
    return electrus_checksum_update(handle, "abc", 3, NULL);
}

static int32_t finish_checksum(void *handle)
{
    char *result = NULL;
    int32_t status = electrus_checksum_finish(handle, &result);
    CHECK(status != ELECTRUS_OK || integer(result, "/size") % 3 == 0);
    electrus_free(result);
    return status;
}

static int32_t close_checksum(void *handle)
{
    return electrus_checksum_close(handle, NULL);
}

static void *open_backup(void)
{
    electrus_backup *backup = NULL;
    MUST(electrus_handler_backup(handler, &backup, NULL) == ELECTRUS_OK);
    return backup;
}

static int32_t use_backup(void *handle, int round)
{
    (void)round;
    return electrus_backup_list(handle, NULL, NULL);
}

static int32_t close_backup(void *handle)
{
    return electrus_backup_close(handle, NULL);
}

static void *open_json(void)
{
    electrus_json *json = NULL;
    MUST(electrus_handler_json(handler, &json, NULL) == ELECTRUS_OK);
    return json;
}

static int32_t use_json(void *handle, int round)
{
    (void)round;
    return electrus_json_get(handle, "doc.json", "/a", NULL, NULL);
}

static int32_t close_json(void *handle)
{
    return electrus_json_close(handle, NULL);
}

static void *open_versions(void)
{
    electrus_versions *versions = NULL;
    MUST(electrus_versions_open(".", NULL, &versions, NULL) == ELECTRUS_OK);
    return versions;
}

static int32_t use_versions(void *handle, int round)
{
    (void)round;
    return electrus_versions_list(handle, "doc.json", NULL, NULL);
}

static int32_t close_versions(void *handle)
{
    return electrus_versions_close(handle, NULL);
}

static void *open_transaction(void)
{
    electrus_transaction *transaction = NULL;
    MUST(electrus_transaction_begin(handler, NULL, &transaction, NULL) == ELECTRUS_OK);
    return transaction;
}

/* Only one stages: a transaction of many thousand files takes its time. */
static int32_t use_transaction(void *handle, int round)
{
    char name[32];
    if (round >= 4)
        sleep_ms(1);
    snprintf(name, sizeof name, "t-%d.txt", round % 4);
    return electrus_transaction_write(handle, name, "x", 1, NULL, NULL);
}

/* What 8 threads have staged names files twice, which may be refused: but the handle is gone. */
static int32_t commit_transaction(void *handle)
{
    int32_t status = electrus_transaction_commit(handle, NULL);
    return status == ELECTRUS_E_INVALID_ARGUMENT ? ELECTRUS_OK : status;
}

static int32_t abort_transaction(void *handle)
{
    return electrus_transaction_abort(handle, NULL);
}

static void *open_progress(void)
{
    electrus_progress *progress = NULL;
    MUST(electrus_progress_open(&progress) == ELECTRUS_OK);
    return progress;
}

static int32_t use_progress(void *handle, int round)
{
    electrus_counts counts;
    char options[64];
    if (round % 16)
        return electrus_progress_read(handle, &counts);
    snprintf(options, sizeof options, "{\"progress\":%llu}", (unsigned long long)(uintptr_t)handle);
    return electrus_handler_stat(handler, "doc.json", options, NULL);
}

static int32_t close_progress(void *handle)
{
    return electrus_progress_close(handle);
}

static void *open_task(void)
{
    electrus_task *task = NULL;
    MUST(electrus_task_start(handler, "verify", NULL, NULL, 0, &task, NULL) == ELECTRUS_OK);
    return task;
}

static int32_t use_task(void *handle, int round)
{
    electrus_counts counts;
    int32_t done = 0;
    return round % 2 ? electrus_task_poll(handle, &counts, NULL) : electrus_task_wait(handle, 0.001, &done);
}

static int32_t finish_task(void *handle)
{
    char *result = NULL;
    int32_t status = electrus_task_finish(handle, NULL, NULL, &result);
    electrus_free(result);
    return status;
}

static int32_t close_task(void *handle)
{
    return electrus_task_close(handle, NULL);
}

static const struct kind kinds[] = {
    {"handler", open_handler_, use_handler, close_handler},
    {"lock", open_lock, use_lock, close_lock},
    {"writer (commit)", open_writer, use_writer, commit_writer},
    {"writer (abort)", open_writer, use_writer, abort_writer},
    {"reader", open_reader, use_reader, close_reader},
    {"checksum (finish)", open_checksum, use_checksum, finish_checksum},
    {"checksum (close)", open_checksum, use_checksum, close_checksum},
    {"backup", open_backup, use_backup, close_backup},
    {"json", open_json, use_json, close_json},
    {"versions", open_versions, use_versions, close_versions},
    {"transaction (commit)", open_transaction, use_transaction, commit_transaction},
    {"transaction (abort)", open_transaction, use_transaction, abort_transaction},
    {"progress", open_progress, use_progress, close_progress},
    {"task (finish)", open_task, use_task, finish_task},
    {"task (close)", open_task, use_task, close_task},
};

struct job {
    const struct kind *kind;
    void *handle;
    pthread_barrier_t *start;
    long calls;
    int32_t status; /* the first that was not ELECTRUS_OK */
};

static void *use_until_it_is_closed(void *given)
{
    struct job *job = given;
    pthread_barrier_wait(job->start);
    do {
        job->status = job->kind->use(job->handle, (int)job->calls);
        job->calls++;
    } while (job->status == ELECTRUS_OK);
    return NULL;
}

static void *close_it(void *given)
{
    struct job *job = given;
    pthread_barrier_wait(job->start);
    sleep_ms(3);
    job->status = job->kind->close(job->handle);
    return NULL;
}

/* 8 threads use a handle; two close it at the same time, of whom one must be told that it is closed. */
static long close_in_use(const struct kind *kind)
{
    pthread_t threads[THREADS + 2];
    struct job jobs[THREADS + 2];
    pthread_barrier_t start;
    void *handle = kind->open();
    long calls = 0;
    pthread_barrier_init(&start, NULL, THREADS + 2);
    for (int i = 0; i < THREADS + 2; i++) {
        jobs[i] = (struct job){kind, handle, &start, 0, ELECTRUS_OK};
        MUST(pthread_create(&threads[i], NULL, i < THREADS ? use_until_it_is_closed : close_it, &jobs[i]) == 0);
    }
    for (int i = 0; i < THREADS + 2; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++) {
        STATUS(ELECTRUS_E_INVALID_HANDLE, jobs[i].status);
        calls += jobs[i].calls;
    }
    int32_t one = jobs[THREADS].status, other = jobs[THREADS + 1].status;
    if (!CHECK((one == ELECTRUS_OK) + (other == ELECTRUS_OK) == 1 && (one | other) == ELECTRUS_E_INVALID_HANDLE))
        printf("    %s: %s and %s\n", kind->name, electrus_code_name(one), electrus_code_name(other));
    STATUS(ELECTRUS_E_INVALID_HANDLE, kind->close(handle));
    pthread_barrier_destroy(&start);
    return calls;
}

static void a_handle_of_each_kind_is_closed_while_8_threads_use_it(void)
{
    int rounds = long_mode() ? 100 : 10;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        long calls = 0;
        for (int round = 0; round < rounds; round++)
            calls += close_in_use(&kinds[i]);
        printf("    %-22s %ld calls, closed in between %d times\n", kinds[i].name, calls, rounds);
    }
}

static void a_handle_is_closed_twice(void)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        void *handle = kinds[i].open();
        STATUS(ELECTRUS_OK, kinds[i].close(handle));
        STATUS(ELECTRUS_E_INVALID_HANDLE, kinds[i].close(handle));
        STATUS(ELECTRUS_E_INVALID_HANDLE, kinds[i].use(handle, 1));
    }
}

static void what_was_made_from_a_handler_outlives_it(void)
{
    electrus_handler *short_lived = open_handler(".", NULL);
    electrus_reader *reader = NULL;
    electrus_writer *writer = NULL;
    electrus_json *json = NULL;
    char buffer[7];
    size_t count = 0;
    STATUS(ELECTRUS_OK, electrus_handler_reader(short_lived, "doc.json", NULL, &reader, NULL));
    STATUS(ELECTRUS_OK, electrus_handler_writer(short_lived, "outlived.txt", NULL, &writer, NULL));
    STATUS(ELECTRUS_OK, electrus_handler_json(short_lived, &json, NULL));
    STATUS(ELECTRUS_OK, electrus_handler_close(short_lived, NULL));
    STATUS(ELECTRUS_OK, electrus_reader_read(reader, buffer, sizeof buffer, &count, NULL));
    CHECK(count == 7 && memcmp(buffer, "{\"a\":1}", 7) == 0);
    STATUS(ELECTRUS_OK, electrus_writer_write(writer, "still", 5, NULL));
    STATUS(ELECTRUS_OK, electrus_writer_commit(writer, NULL));
    STATUS(ELECTRUS_OK, electrus_json_get(json, "doc.json", "/a", NULL, NULL));
    STATUS(ELECTRUS_OK, electrus_json_close(json, NULL));
    STATUS(ELECTRUS_OK, electrus_reader_close(reader, NULL));
    CHECK(holds_text(handler, "outlived.txt", "still"));
}

/* ---- memory --------------------------------------------------------------------------------------------------------- */

static void freeing_null_is_allowed(void)
{
    electrus_free(NULL);
}

static void freeing_twice_is_harmless(void)
{
    char *result = NULL;
    char *memory = electrus_alloc(100);
    CHECK(memory && memory[0] == 0 && memory[99] == 0);
    STATUS(ELECTRUS_OK, electrus_handler_stat(handler, "doc.json", NULL, &result));
    electrus_free(memory);
    electrus_free(memory);
    electrus_free(result);
    electrus_free(result);
}

static void freeing_what_is_not_the_librarys_is_harmless(void)
{
    char local[16] = "local", *mine = malloc(16), *given = electrus_alloc(16);
    strcpy(mine, "mine");
    strcpy(given, "given");
    electrus_free(local);
    electrus_free(mine);
    electrus_free(given + 1);
    electrus_free((void *)electrus_version());
    electrus_free(handler);
    CHECK(strcmp(mine, "mine") == 0 && strcmp(given, "given") == 0);
    free(mine);
    electrus_free(given);
    CHECK(holds_text(handler, "doc.json", "{\"a\":1}"));
}

static void *free_all(void *given)
{
    void **blocks = given;
    for (int i = 0; i < 1000; i++)
        electrus_free(blocks[i]);
    return NULL;
}

static void eight_threads_give_the_same_blocks_back(void)
{
    static void *blocks[1000];
    pthread_t threads[THREADS];
    for (int i = 0; i < 1000; i++)
        blocks[i] = electrus_alloc((size_t)i);
    for (int i = 0; i < THREADS; i++)
        MUST(pthread_create(&threads[i], NULL, free_all, blocks) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* ---- one handler, many threads -------------------------------------------------------------------------------------- */

struct worker {
    int number;
    int64_t last;
};

static int64_t count_up(int worker)
{
    char name[32], text[32], *result = NULL;
    static const char quick[] = "{\"durability\":\"none\"}";
    int64_t version = 0;
    snprintf(name, sizeof name, "worker-%d.txt", worker);
    for (int i = 1; i <= 25; i++) {
        snprintf(text, sizeof text, "%d of %d", i, worker);
        STATUS(ELECTRUS_OK, electrus_handler_write(handler, name, text, strlen(text), quick, &result));
        version = integer(result, "/version");
        drop(&result);
        CHECK(holds_text(handler, name, text));
        STATUS(ELECTRUS_OK, electrus_handler_stat(handler, "doc.json", NULL, &result));
        drop(&result);
        STATUS(ELECTRUS_OK, electrus_handler_checksum(handler, name, NULL, &result));
        drop(&result);
        STATUS(ELECTRUS_OK, electrus_handler_write(handler, "contended.txt", text, strlen(text),
                                                   "{\"durability\":\"none\",\"timeout\":60}", NULL));
    }
    return version;
}

static void *work(void *given)
{
    struct worker *worker = given;
    worker->last = count_up(worker->number);
    return NULL;
}

static void eight_threads_mix_calls_on_one_handler(void)
{
    pthread_t threads[THREADS];
    struct worker workers[THREADS];
    char *result = NULL;
    int64_t before, after;
    write_text(handler, "contended.txt", "first", NULL);
    STATUS(ELECTRUS_OK, electrus_handler_stat(handler, "contended.txt", NULL, &result));
    before = integer(result, "/version");
    drop(&result);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){i, 0};
        MUST(pthread_create(&threads[i], NULL, work, &workers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        CHECK(workers[i].last == 25);
    }
    STATUS(ELECTRUS_OK, electrus_handler_stat(handler, "contended.txt", NULL, &result));
    after = integer(result, "/version");
    drop(&result);
    CHECK(after - before == THREADS * 25);
    STATUS(ELECTRUS_OK, electrus_handler_verify(handler, NULL, &result));
    CHECK(integer(result, "/ok") == 1);
    drop(&result);
}

/* One lock, held by an owner that is no thread, is used and released by other threads. */
static void *release(void *lock)
{
    STATUS(ELECTRUS_OK, electrus_lock_release(lock, NULL));
    return NULL;
}

static void a_lock_is_released_by_another_thread(void)
{
    electrus_lock *lock = open_lock();
    pthread_t thread;
    MUST(pthread_create(&thread, NULL, release, lock) == 0);
    pthread_join(thread, NULL);
    lock = open_lock();
    STATUS(ELECTRUS_OK, electrus_lock_release(lock, NULL));
}

int main(void)
{
    char *base = new_folder();
    MUST(chdir(base) == 0);
    handler = open_handler(".", NULL);
    write_text(handler, "doc.json", "{\"a\":1}", NULL);
    test("a handle of each kind is closed while 8 threads use it", a_handle_of_each_kind_is_closed_while_8_threads_use_it);
    test("a handle of each kind is closed twice", a_handle_is_closed_twice);
    test("what was made from a handler outlives it", what_was_made_from_a_handler_outlives_it);
    test("freeing NULL is allowed", freeing_null_is_allowed);
    test("freeing twice is harmless", freeing_twice_is_harmless);
    test("freeing what is not the library's is harmless", freeing_what_is_not_the_librarys_is_harmless);
    test("8 threads give the same blocks back", eight_threads_give_the_same_blocks_back);
    test("8 threads mix calls on one handler", eight_threads_mix_calls_on_one_handler);
    test("a lock is released by another thread", a_lock_is_released_by_another_thread);
    STATUS(ELECTRUS_OK, electrus_handler_close(handler, NULL));
    test("nothing is open afterwards", check_nothing_is_open);
    free(base);
    return finish();
}
