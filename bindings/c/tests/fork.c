/*
 * fork() in a program that holds handles: the child holds none of them, and can work on its own; the parent keeps all.
 * Every child has an alarm: a deadlock ends it, and fails the test.
 */
#include "check.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE = 30 };

/* One of each kind, and what belongs to them. */
static struct {
    electrus_handler *handler;
    electrus_lock *lock;
    electrus_writer *writer;
    electrus_reader *reader;
    electrus_checksum *checksum;
    electrus_backup *backup;
    electrus_json *json;
    electrus_versions *versions;
    electrus_transaction *transaction;
    electrus_progress *progress;
    electrus_task *task;
    char *text;
} held;

static char *base, *program;

/* ---- children ------------------------------------------------------------------------------------------------------- */

/* What a child found: each that does not hold is told, and makes its exit status 1. */
static int found_wrong;

#define CHILD(condition)                                                         \
    do {                                                                         \
        if (!(condition)) {                                                      \
            found_wrong = 1;                                                     \
            fprintf(stderr, "    in the child, line %d: not so: %s\n", __LINE__, #condition); \
        }                                                                        \
    } while (0)

/* Runs `work` in a child that leaves by exit(), with all that this does, and gives its wait status. */
static int in_a_child(void (*work)(void))
{
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(PATIENCE);
        found_wrong = 0;
        work();
        exit(found_wrong);
    }
    MUST(child > 0 && waitpid(child, &status, 0) == child);
    return status;
}

static bool went_well(int status)
{
    if (WIFSIGNALED(status))
        printf("    the child was ended by signal %d%s\n", WTERMSIG(status), WTERMSIG(status) == SIGALRM ? ": it hung" : "");
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* A program of its own, as in run("flock", "-n", "a.lock", "true", NULL): its exit status. */
static int run(const char *name, const char *a, const char *b, const char *c)
{
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        execlp(name, name, a, b, c, (char *)NULL);
        _exit(127);
    }
    MUST(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) != 127);
    return WEXITSTATUS(status);
}

/* Whether another program is excluded from a file of the base. */
static bool is_locked_for_others(const char *name)
{
    char *lock = print("%s/%s.lock", base, name);
    int status = run("flock", "-n", lock, "true");
    free(lock);
    return status == 1;
}

static void open_all(void)
{
    char *result = NULL;
    held.handler = open_handler(base, NULL);
    write_text(held.handler, "a.json", "{\"a\":1}", NULL);
    MUST(electrus_handler_lock(held.handler, "locked.txt", NULL, &held.lock, NULL) == ELECTRUS_OK);
    MUST(electrus_handler_writer(held.handler, "written.txt", NULL, &held.writer, NULL) == ELECTRUS_OK);
    MUST(electrus_writer_write(held.writer, "before ", 7, NULL) == ELECTRUS_OK);
    MUST(electrus_handler_reader(held.handler, "a.json", NULL, &held.reader, NULL) == ELECTRUS_OK);
    MUST(electrus_checksum_open(NULL, &held.checksum, NULL) == ELECTRUS_OK);
    MUST(electrus_handler_backup(held.handler, &held.backup, NULL) == ELECTRUS_OK);
    MUST(electrus_handler_json(held.handler, &held.json, NULL) == ELECTRUS_OK);
    MUST(electrus_handler_versions(held.handler, &held.versions, NULL) == ELECTRUS_OK);
    MUST(electrus_transaction_begin(held.handler, NULL, &held.transaction, NULL) == ELECTRUS_OK);
    MUST(electrus_transaction_write(held.transaction, "staged.txt", "staged", 6, NULL, NULL) == ELECTRUS_OK);
    MUST(electrus_progress_open(&held.progress) == ELECTRUS_OK);
    MUST(electrus_task_start(held.handler, "verify", NULL, NULL, 0, &held.task, NULL) == ELECTRUS_OK);
    MUST(electrus_handler_stat(held.handler, "a.json", NULL, &result) == ELECTRUS_OK);
    held.text = result;
}

static void close_all(void)
{
    STATUS(ELECTRUS_OK, electrus_lock_release(held.lock, NULL));
    STATUS(ELECTRUS_OK, electrus_reader_close(held.reader, NULL));
    STATUS(ELECTRUS_OK, electrus_checksum_close(held.checksum, NULL));
    STATUS(ELECTRUS_OK, electrus_backup_close(held.backup, NULL));
    STATUS(ELECTRUS_OK, electrus_json_close(held.json, NULL));
    STATUS(ELECTRUS_OK, electrus_versions_close(held.versions, NULL));
    STATUS(ELECTRUS_OK, electrus_progress_close(held.progress));
    STATUS(ELECTRUS_OK, electrus_task_finish(held.task, NULL, NULL, NULL));
    STATUS(ELECTRUS_OK, electrus_handler_close(held.handler, NULL));
    electrus_free(held.text);
}

/* ---- what a child has of its parent --------------------------------------------------------------------------------- */

#define INVALID(call) CHILD((call) == ELECTRUS_E_INVALID_HANDLE)

static void use_what_is_inherited(void)
{
    char buffer[4], *result = NULL, options[64];
    size_t count = 9;
    int32_t done = 0;
    electrus_counts counts;
    electrus_lock *lock = NULL;
    INVALID(electrus_handler_stat(held.handler, "a.json", NULL, &result));
    CHILD(integer(result, "/error/code") == ELECTRUS_E_INVALID_HANDLE);
    drop(&result);
    INVALID(electrus_handler_write(held.handler, "a.json", "x", 1, NULL, NULL));
    INVALID(electrus_lock_show(held.lock, NULL));
    INVALID(electrus_lock_lend(held.lock, NULL));
    INVALID(electrus_writer_write(held.writer, "x", 1, NULL));
    INVALID(electrus_reader_read(held.reader, buffer, sizeof buffer, &count, NULL));
    CHILD(count == 0);
    INVALID(electrus_checksum_update(held.checksum, "x", 1, NULL));
    INVALID(electrus_backup_list(held.backup, NULL, NULL));
    INVALID(electrus_json_read(held.json, "a.json", NULL, NULL));
    INVALID(electrus_versions_list(held.versions, NULL, NULL, NULL));
    INVALID(electrus_transaction_delete(held.transaction, "x", NULL, NULL));
    INVALID(electrus_progress_read(held.progress, &counts));
    INVALID(electrus_progress_cancel(held.progress));
    INVALID(electrus_task_wait(held.task, 10, &done));
    INVALID(electrus_task_poll(held.task, NULL, NULL));
    INVALID(electrus_task_start(held.handler, "verify", NULL, NULL, 0, NULL, NULL) == ELECTRUS_E_INVALID_ARGUMENT
                ? ELECTRUS_E_INVALID_HANDLE
                : ELECTRUS_OK);
    snprintf(options, sizeof options, "{\"progress\":%llu}", (unsigned long long)(uintptr_t)held.progress);
    INVALID(electrus_lock_acquire("x", options, &lock, NULL));
    electrus_free(held.text); /* the parent's: left alone */
}

static void close_what_is_inherited(void)
{
    INVALID(electrus_lock_release(held.lock, NULL));
    INVALID(electrus_writer_commit(held.writer, NULL));
    INVALID(electrus_writer_abort(held.writer, NULL));
    INVALID(electrus_reader_close(held.reader, NULL));
    INVALID(electrus_checksum_finish(held.checksum, NULL));
    INVALID(electrus_backup_close(held.backup, NULL));
    INVALID(electrus_json_close(held.json, NULL));
    INVALID(electrus_versions_close(held.versions, NULL));
    INVALID(electrus_transaction_commit(held.transaction, NULL));
    INVALID(electrus_progress_close(held.progress));
    INVALID(electrus_task_finish(held.task, NULL, NULL, NULL));
    INVALID(electrus_task_close(held.task, NULL));
    INVALID(electrus_handler_close(held.handler, NULL));
}

static void the_child_gets_invalid_handle_for_each(void)
{
    open_all();
    CHECK(went_well(in_a_child(use_what_is_inherited)));
    CHECK(went_well(in_a_child(close_what_is_inherited)));
    /* Nothing of it was taken from the parent. */
    CHECK(is_locked_for_others("locked.txt"));
    STATUS(ELECTRUS_OK, electrus_writer_write(held.writer, "and after", 9, NULL));
    STATUS(ELECTRUS_OK, electrus_writer_commit(held.writer, NULL));
    STATUS(ELECTRUS_OK, electrus_transaction_commit(held.transaction, NULL));
    CHECK(holds_text(held.handler, "written.txt", "before and after"));
    CHECK(holds_text(held.handler, "staged.txt", "staged"));
    CHECK(strstr(held.text, "\"size\":7") != NULL);
    close_all();
    CHECK(!is_locked_for_others("locked.txt"));
}

/* ---- what a child can do -------------------------------------------------------------------------------------------- */

static void work_on_its_own(void)
{
    electrus_handler *own = NULL;
    electrus_lock *lock = NULL;
    electrus_task *task = NULL;
    char *usage = NULL, *result = NULL;
    CHILD(electrus_library_usage(&usage) == ELECTRUS_OK);
    CHILD(integer(usage, "/handles/handler") == 0 && integer(usage, "/handles/lock") == 0);
    CHILD(integer(usage, "/buffers") == 0);
    electrus_free(usage);
    CHILD(electrus_handler_open(base, NULL, &own, NULL) == ELECTRUS_OK);
    CHILD(electrus_handler_write(own, "child.txt", "of the child", 12, NULL, NULL) == ELECTRUS_OK);
    CHILD(holds_text(own, "child.txt", "of the child"));
    CHILD(electrus_handler_lock(own, "locked.txt", "{\"timeout\":0}", &lock, NULL) == ELECTRUS_E_LOCK_TIMEOUT);
    CHILD(electrus_handler_write(own, "locked.txt", "x", 1, "{\"timeout\":0}", NULL) == ELECTRUS_E_LOCK_TIMEOUT);
    CHILD(electrus_handler_lock(own, "free.txt", NULL, &lock, NULL) == ELECTRUS_OK);
    CHILD(electrus_task_start(own, "verify", NULL, NULL, 0, &task, NULL) == ELECTRUS_OK);
    CHILD(electrus_task_finish(task, NULL, NULL, &result) == ELECTRUS_OK);
    CHILD(integer(result, "/ok") == 1);
    electrus_free(result);
    CHILD(electrus_lock_release(lock, NULL) == ELECTRUS_OK);
    CHILD(electrus_handler_close(own, NULL) == ELECTRUS_OK);
    CHILD(electrus_handler_stat(held.handler, "a.json", NULL, NULL) == ELECTRUS_E_INVALID_HANDLE);
}

/* It leaves with everything open: exit() is to disturb nothing. */
static void leave_handles_open(void)
{
    electrus_lock *lock = NULL;
    electrus_writer *writer = NULL;
    electrus_handler *own = open_handler(base, NULL);
    CHILD(electrus_handler_lock(own, "free.txt", NULL, &lock, NULL) == ELECTRUS_OK);
    CHILD(electrus_handler_writer(own, "half.txt", NULL, &writer, NULL) == ELECTRUS_OK);
    CHILD(electrus_writer_write(writer, "half", 4, NULL) == ELECTRUS_OK);
}

static void fork_again(void)
{
    held.handler = open_handler(base, NULL);
    int status = in_a_child(work_on_its_own);
    CHILD(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHILD(electrus_handler_close(held.handler, NULL) == ELECTRUS_OK);
}

static void the_child_works_on_its_own_handles(void)
{
    open_all();
    CHECK(went_well(in_a_child(work_on_its_own)));
    CHECK(went_well(in_a_child(leave_handles_open)));
    CHECK(went_well(in_a_child(fork_again)));
    CHECK(is_locked_for_others("locked.txt"));
    CHECK(!is_locked_for_others("free.txt"));
    CHECK(holds_text(held.handler, "child.txt", "of the child"));
    CHECK(!holds_text(held.handler, "half.txt", "half"));
    STATUS(ELECTRUS_OK, electrus_lock_show(held.lock, NULL));
    STATUS(ELECTRUS_OK, electrus_writer_abort(held.writer, NULL));
    STATUS(ELECTRUS_OK, electrus_transaction_abort(held.transaction, NULL));
    close_all();
}

/* In a new process, so that the numbers of its handles begin anew as well. */
static void open_one_more(void)
{
    electrus_handler *own = open_handler(base, NULL);
    CHILD(own != held.handler);
    CHILD(electrus_handler_stat(held.handler, "a.json", NULL, NULL) == ELECTRUS_E_INVALID_HANDLE);
    CHILD(electrus_handler_close(held.handler, NULL) == ELECTRUS_E_INVALID_HANDLE);
    CHILD(electrus_handler_close(own, NULL) == ELECTRUS_OK);
}

static int fork_with_the_first_handle(void)
{
    held.handler = open_handler(base, NULL);
    int status = in_a_child(open_one_more);
    return went_well(status) && electrus_handler_close(held.handler, NULL) == ELECTRUS_OK ? 0 : 1;
}

static void an_inherited_handle_is_never_taken_for_one_of_the_childs_own(void)
{
    CHECK(run(program, "first-handle", base, NULL) == 0);
}

/* ---- locks and children that live on -------------------------------------------------------------------------------- */

static void a_lock_that_is_released_is_free_though_a_child_lives(void)
{
    electrus_handler *handler = open_handler(base, NULL);
    electrus_lock *lock = NULL;
    MUST(electrus_handler_lock(handler, "outlived.txt", NULL, &lock, NULL) == ELECTRUS_OK);
    fflush(NULL);
    pid_t forked = fork();
    if (forked == 0) {
        alarm(PATIENCE);
        pause();
        _exit(0);
    }
    pid_t started = fork();
    if (started == 0) {
        execlp("sleep", "sleep", "30", (char *)NULL);
        _exit(127);
    }
    CHECK(is_locked_for_others("outlived.txt"));
    STATUS(ELECTRUS_OK, electrus_lock_release(lock, NULL));
    CHECK(!is_locked_for_others("outlived.txt"));
    kill(forked, SIGKILL);
    kill(started, SIGKILL);
    waitpid(forked, NULL, 0);
    waitpid(started, NULL, 0);
    STATUS(ELECTRUS_OK, electrus_handler_close(handler, NULL));
}

/* ---- forks while other threads are inside of calls ------------------------------------------------------------------ */

static volatile bool stop;

static void *call_all_the_time(void *given)
{
    int number = *(int *)given;
    char name[32];
    static const char quick[] = "{\"durability\":\"none\",\"create_version\":false}";
    snprintf(name, sizeof name, "busy-%d.txt", number);
    while (!stop) {
        electrus_handler *own = NULL;
        electrus_task *task = NULL;
        electrus_lock *lock = NULL;
        char *result = NULL;
        electrus_free(electrus_alloc(100));
        STATUS(ELECTRUS_OK, electrus_handler_open(base, NULL, &own, NULL));
        STATUS(ELECTRUS_OK, electrus_handler_write(own, name, "busy", 4, number ? quick : "{\"durability\":\"none\"}", &result));
        drop(&result);
        STATUS(ELECTRUS_OK, electrus_handler_stat(own, name, NULL, &result));
        drop(&result);
        STATUS(ELECTRUS_OK, electrus_handler_lock(own, name, NULL, &lock, NULL));
        STATUS(ELECTRUS_OK, electrus_lock_release(lock, NULL));
        STATUS(ELECTRUS_OK, electrus_task_start(own, "stat", "{\"path\":\"a.json\"}", NULL, 0, &task, NULL));
        STATUS(ELECTRUS_OK, electrus_task_finish(task, NULL, NULL, &result));
        drop(&result);
        STATUS(ELECTRUS_OK, electrus_handler_close(own, NULL));
    }
    return NULL;
}

static void work_quickly(void)
{
    electrus_handler *own = NULL;
    electrus_task *task = NULL;
    electrus_lock *lock = NULL;
    char *usage = NULL;
    CHILD(electrus_library_usage(&usage) == ELECTRUS_OK);
    CHILD(integer(usage, "/handles/handler") == 0);
    electrus_free(usage);
    CHILD(electrus_handler_stat(held.handler, "a.json", NULL, NULL) == ELECTRUS_E_INVALID_HANDLE);
    CHILD(electrus_handler_open(base, NULL, &own, NULL) == ELECTRUS_OK);
    CHILD(electrus_handler_write(own, "quick.txt", "quick", 5, "{\"durability\":\"none\",\"timeout\":60}", NULL) == ELECTRUS_OK);
    CHILD(holds_text(own, "quick.txt", "quick"));
    CHILD(electrus_handler_lock(own, "quick.lck", NULL, &lock, NULL) == ELECTRUS_OK);
    CHILD(electrus_task_start(own, "stat", "{\"path\":\"a.json\"}", NULL, 0, &task, NULL) == ELECTRUS_OK);
    CHILD(electrus_task_finish(task, NULL, NULL, NULL) == ELECTRUS_OK);
    CHILD(electrus_lock_release(lock, NULL) == ELECTRUS_OK);
    CHILD(electrus_handler_close(own, NULL) == ELECTRUS_OK);
}

static void forks_while_threads_are_inside_of_calls_do_not_hang(void)
{
    enum { BUSY = 4 };
    pthread_t threads[BUSY];
    int numbers[BUSY], forks = long_mode() ? 2000 : 200, well = 0;
    held.handler = open_handler(base, NULL);
    write_text(held.handler, "a.json", "{\"a\":1}", NULL);
    stop = false;
    for (int i = 0; i < BUSY; i++) {
        numbers[i] = i;
        MUST(pthread_create(&threads[i], NULL, call_all_the_time, &numbers[i]) == 0);
    }
    for (int i = 0; i < forks; i++)
        well += went_well(in_a_child(work_quickly));
    stop = true;
    for (int i = 0; i < BUSY; i++)
        pthread_join(threads[i], NULL);
    printf("    %d of %d children did their work\n", well, forks);
    CHECK(well == forks);
    char *result = NULL;
    STATUS(ELECTRUS_OK, electrus_handler_verify(held.handler, NULL, &result));
    CHECK(integer(result, "/ok") == 1);
    electrus_free(result);
    STATUS(ELECTRUS_OK, electrus_handler_close(held.handler, NULL));
}

/* ---- forks while the first call of all makes what is made once ------------------------------------------------------ */

static void first_calls(void)
{
    char *result = NULL;
    electrus_handler *own = NULL;
    CHILD(strcmp(electrus_code_name(ELECTRUS_E_NOT_FOUND), "not_found") == 0);
    CHILD(electrus_features()[0] == '{');
    electrus_free(electrus_alloc(10));
    CHILD(electrus_handler_open(base, NULL, &own, &result) == ELECTRUS_OK);
    electrus_free(result);
    CHILD(electrus_handler_close(own, NULL) == ELECTRUS_OK);
}

static void *call_first(void *barrier)
{
    pthread_barrier_wait(barrier);
    first_calls();
    return NULL;
}

/* This program, started anew: a thread makes the first calls while another forks, a little later each time. */
static int fork_at_first_calls(int delay)
{
    pthread_t thread;
    pthread_barrier_t barrier;
    struct timespec begin, time;
    alarm(PATIENCE);
    pthread_barrier_init(&barrier, NULL, 2);
    MUST(pthread_create(&thread, NULL, call_first, &barrier) == 0);
    pthread_barrier_wait(&barrier);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do
        clock_gettime(CLOCK_MONOTONIC, &time);
    while ((time.tv_sec - begin.tv_sec) * 1000000000L + time.tv_nsec - begin.tv_nsec < delay);
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        alarm(2);
        first_calls();
        _exit(found_wrong);
    }
    MUST(child > 0 && waitpid(child, &status, 0) == child);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&barrier);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}

static void forks_during_the_first_calls_do_not_hang(void)
{
    int runs = long_mode() ? 1000 : 60, well = 0;
    for (int i = 0; i < runs; i++) {
        char delay[16];
        snprintf(delay, sizeof delay, "%d", i * 200000 / runs);
        well += run(program, "first-calls", base, delay) == 0;
    }
    printf("    %d of %d processes did their work\n", well, runs);
    CHECK(well == runs);
}

int main(int count, char **arguments)
{
    program = arguments[0];
    if (count == 4 && strcmp(arguments[1], "first-calls") == 0) {
        base = arguments[2];
        return fork_at_first_calls(atoi(arguments[3]));
    }
    if (count == 3 && strcmp(arguments[1], "first-handle") == 0) {
        base = arguments[2];
        return fork_with_the_first_handle();
    }
    base = new_folder();
    test("a child gets invalid_handle for each inherited handle, and takes nothing from its parent",
         the_child_gets_invalid_handle_for_each);
    test("a child works with handles of its own", the_child_works_on_its_own_handles);
    test("a lock that is released is free, though a child lives", a_lock_that_is_released_is_free_though_a_child_lives);
    test("forks while threads are inside of calls do not hang", forks_while_threads_are_inside_of_calls_do_not_hang);
    test("forks during the first calls do not hang", forks_during_the_first_calls_do_not_hang);
    test("an inherited handle is never taken for one of the child's own", an_inherited_handle_is_never_taken_for_one_of_the_childs_own);
    test("nothing is open afterwards", check_nothing_is_open);
    free(base);
    return finish();
}
