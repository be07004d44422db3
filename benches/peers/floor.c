/* What the operating system itself takes, without any library: the floors that everybody is compared with.
 *
 *   floor write DIR SIZE COUNT            temp file, write, fsync, rename, fsync of the folder, COUNT times over
 *   floor append DIR SIZE COUNT           write into preallocated space of one log, fdatasync
 *   floor batch DIR SIZE COUNT            COUNT different files by `write`, one after the other
 *   floor group DIR SIZE COUNT            the same files with one syncfs for all contents and one fsync for all names
 *   floor lock FILE COUNT                 open, flock, unlock, close
 *   floor relock FILE COUNT               flock, unlock of a file that stays open
 *   floor hand FILE STATE ROUNDS HOLD_US  one side of a hand-over (start two)
 *   floor read FILE                       read to the end, 256 KiB at a time
 *   floor files LIST                      open, read, close of each file that LIST names, one a line
 *
 * Each prints one line of JSON with times in microseconds. An error ends the program.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static long check(long answer, const char *what)
{
    if (answer < 0) fail(what);
    return answer;
}

static double micros(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static double now(void) { return micros(CLOCK_MONOTONIC); }

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Times of single operations, or of `each` operations together. */
static int report(double *times, size_t count, size_t each)
{
    if (count == 0) return 1;
    qsort(times, count, sizeof *times, by_value);
    printf("{\"n\":%zu,\"median_us\":%.3f,\"p10_us\":%.3f,\"p90_us\":%.3f}\n", count * each,
           times[(count - 1) / 2] / each, times[(count - 1) / 10] / each, times[(count - 1) * 9 / 10] / each);
    return 0;
}

static void *allocate(size_t size)
{
    void *memory = malloc(size ? size : 1);
    if (!memory) fail("malloc");
    return memory;
}

static char *content;
static size_t size;

static void prepare(size_t bytes)
{
    content = allocate(size = bytes);
    uint64_t state = 88172645463325252u;
    for (size_t i = 0; i < size; i++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        content[i] = (char)(state >> 32);
    }
}

static void stamp(size_t turn)
{
    memcpy(content, &turn, size < sizeof turn ? size : sizeof turn);
}

static void put(int file)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = write(file, content + done, size - done);
        if (n < 0 && errno == EINTR) continue;
        done += check(n, "write");
    }
}

static int temporary(int dir, const char *name)
{
    return check(openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666), "open");
}

static void replace(int dir, const char *name)
{
    int file = temporary(dir, "temporary");
    put(file);
    check(fsync(file), "fsync");
    check(close(file), "close");
    check(renameat(dir, "temporary", dir, name), "rename");
    check(fsync(dir), "fsync of the folder");
}

static int write_floor(int dir, size_t count)
{
    double *times = allocate(count * sizeof *times);
    for (size_t i = 0; i < count; i++) {
        stamp(i);
        double start = now();
        replace(dir, "f");
        times[i] = now() - start;
    }
    return report(times, count, 1);
}

static int append_floor(int dir, size_t count)
{
    double *times = allocate(count * sizeof *times);
    int log = temporary(dir, "log");
    for (size_t i = 0; i < count; i++) put(log);
    check(fsync(log), "fsync");
    check(lseek(log, 0, SEEK_SET), "seek");
    for (size_t i = 0; i < count; i++) {
        stamp(i);
        double start = now();
        put(log);
        check(fdatasync(log), "fdatasync");
        times[i] = now() - start;
    }
    return report(times, count, 1);
}

static int batch_floor(int dir, size_t count)
{
    char name[32];
    double start = now();
    for (size_t i = 0; i < count; i++) {
        stamp(i);
        snprintf(name, sizeof name, "f%zu", i);
        replace(dir, name);
    }
    double time = now() - start;
    return report(&time, 1, count);
}

static int group_floor(int dir, size_t count)
{
    char name[32], temp[32];
    double start = now();
    for (size_t i = 0; i < count; i++) {
        stamp(i);
        snprintf(temp, sizeof temp, "t%zu", i);
        int file = temporary(dir, temp);
        put(file);
        check(close(file), "close");
    }
    check(syncfs(dir), "syncfs");
    for (size_t i = 0; i < count; i++) {
        snprintf(temp, sizeof temp, "t%zu", i);
        snprintf(name, sizeof name, "f%zu", i);
        check(renameat(dir, temp, dir, name), "rename");
    }
    check(fsync(dir), "fsync of the folder");
    double time = now() - start;
    return report(&time, 1, count);
}

static int open_lock(const char *path)
{
    return check(open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666), path);
}

static int lock_floor(const char *path, size_t count, int reopen)
{
    int kept = open_lock(path);
    double start = now();
    for (size_t i = 0; i < count; i++) {
        int file = reopen ? open_lock(path) : kept;
        check(flock(file, LOCK_EX), "flock");
        check(flock(file, LOCK_UN), "unlock");
        if (reopen) check(close(file), "close");
    }
    double time = now() - start;
    return report(&time, 1, count);
}

/* Who had the lock last, and when it was given back. */
struct state {
    uint64_t who, when;
};

static struct state read_state(int file)
{
    struct state state = {0, 0};
    if (pread(file, &state, sizeof state, 0) < 0) fail("read");
    return state;
}

static void write_state(int file, uint64_t who, uint64_t when)
{
    struct state state = {who, when};
    if (pwrite(file, &state, sizeof state, 0) != sizeof state) fail("write");
}

static int hand_over(const char *path, const char *state_path, size_t rounds, long hold)
{
    int lock = open_lock(path), file = open_lock(state_path);
    double *times = allocate(rounds * sizeof *times), end = now() + 60e6;
    uint64_t me = getpid();
    size_t taken = 0;
    while (taken < rounds && now() < end) {
        check(flock(lock, LOCK_EX), "flock");
        double acquired = micros(CLOCK_REALTIME);
        struct state last = read_state(file);
        if (last.who && last.who != me) times[taken++] = acquired - last.when;
        write_state(file, me, 0); /* the other one starts to wait */
        usleep(hold);
        write_state(file, me, micros(CLOCK_REALTIME));
        check(flock(lock, LOCK_UN), "unlock");
        double patience = now() + 500e3;
        while (read_state(file).who == me && now() < patience) usleep(200);
    }
    return report(times, taken, 1);
}

static char block[256 << 10];

static void read_all(const char *path)
{
    int file = check(open(path, O_RDONLY | O_CLOEXEC), path);
    while (check(read(file, block, sizeof block), path)) {}
    check(close(file), "close");
}

static int read_floor(const char *path)
{
    double start = now();
    read_all(path);
    double time = now() - start;
    return report(&time, 1, 1);
}

static int files_floor(const char *list)
{
    FILE *lines = fopen(list, "r");
    if (!lines) fail(list);
    char *line = NULL;
    size_t room = 0;
    double start = now();
    for (ssize_t length; (length = getline(&line, &room, lines)) > 0;) {
        line[length - 1] = 0;
        read_all(line);
    }
    double time = now() - start;
    return report(&time, 1, 1);
}

int main(int count, char **words)
{
    if (count < 3) return 2;
    const char *task = words[1], *path = words[2];
    size_t first = count > 3 ? strtoul(words[3], NULL, 10) : 0, second = count > 4 ? strtoul(words[4], NULL, 10) : 0;
    if (!strcmp(task, "read")) return read_floor(path);
    if (!strcmp(task, "files")) return files_floor(path);
    if (!strcmp(task, "lock")) return lock_floor(path, first, 1);
    if (!strcmp(task, "relock")) return lock_floor(path, first, 0);
    if (!strcmp(task, "hand") && count == 6) return hand_over(path, words[3], second, atol(words[5]));
    int dir = check(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), path);
    prepare(first);
    if (!strcmp(task, "write")) return write_floor(dir, second);
    if (!strcmp(task, "append")) return append_floor(dir, second);
    if (!strcmp(task, "batch")) return batch_floor(dir, second);
    if (!strcmp(task, "group")) return group_floor(dir, second);
    return 2;
}
