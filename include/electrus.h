/*
 * Electrus: files that stay safe. Atomic durable writes, locks, checksums, version history, JSON documents, backups,
 * batches and transactions, for any language that can call C.
 *
 * This header is made from the library's sources; do not edit it.
 *
 *     electrus_handler *files = NULL;
 *     char *result = NULL;
 *     if (electrus_handler_open("my_project", NULL, &files, &result) != ELECTRUS_OK) {
 *         fprintf(stderr, "%s\n", result);              // {"error":{"code":20,"name":"not_found",...
 *     }
 *     electrus_free(result);
 *     if (electrus_handler_write(files, "notes.txt", "precious", 8, NULL, &result) == ELECTRUS_OK) {
 *         int64_t version = 0;
 *         electrus_result_integer(result, "/version", &version);
 *     }
 *     electrus_free(result);
 *     electrus_handler_close(files, NULL);
 *
 * STATUS. Every function that can fail returns an int32_t: ELECTRUS_OK (0) or one of ELECTRUS_E_*. Nothing else is
 * needed to go on: there is no "last error" that a second call could overwrite.
 *
 * RESULTS. `char **result`, the last parameter, receives one JSON document, UTF-8, ended by a zero: what was done, or
 * {"error":{"code","name","message","path","path_b64","os_error","retryable","operation"}} with those keys that apply.
 * A function that has nothing to tell leaves it NULL. Pass NULL if you do not want it. It is yours: electrus_free(). It is
 * written to before anything else happens, so it need not be initialised. electrus_result_integer() and its relatives
 * read single values without a JSON library. Keys may be added to results; ignore those that you do not know.
 *
 * OPTIONS. `const char *options` is a JSON object or NULL. A key that a function does not take is
 * ELECTRUS_E_UNKNOWN_OPTION, so that a misspelt one is never ignored. Every operation takes, beside its own keys (see abi/operations.json),
 *     "progress": N    watch and cancel it by the progress handle with the number N,
 *     "owner": N       take locks on behalf of the owner N (electrus_owner_create) instead of the calling thread,
 *     "lock": N        (where the operation takes a lock) run under the lock handle with the number N, which you hold.
 * A handle's number is its value: (uintptr_t)handle. A key that is an argument of the function stands in the options only if
 * that argument may be NULL and is ("paths_b64", for names that are not UTF-8).
 *
 * NAMES. Paths are texts ended by a zero: on Unix any bytes, elsewhere UTF-8. "name" means beneath the handler's base
 * folder, which no name can leave unless the handler was opened with "allow_outside"; "ordinary path" means what open(2)
 * takes.
 *
 * CONTENTS are never in the JSON, but pointer and length beside it. What comes in is only read during the call. What goes
 * out is yours: electrus_free(). Where several come out, they are one block: free the array, not its items.
 *
 * HANDLES are numbers in the form of pointers and are never followed. One that is NULL, closed, of another kind or made up
 * is ELECTRUS_E_INVALID_HANDLE, and never undefined behaviour. Closing a handle while another thread is in a call with it
 * is safe: that call goes on to its end.
 *
 * THREADS. Any thread may call any function with any handle at any time; calls with a writer, reader, checksum or
 * transaction handle wait for each other. No function calls back. Signals interrupt none.
 *
 * FORKS. A child that was forked holds none of its parent's handles: each is ELECTRUS_E_INVALID_HANDLE there, and the
 * parent's locks stay with the parent. The child may open its own. Memory that the parent was given is the parent's:
 * electrus_free() does nothing with it in the child.
 *
 * ERRORS. Beside what is said at each function, these groups are meant by one word:
 *     handle    ELECTRUS_E_INVALID_HANDLE (where one is opened and pointers have 32 bits, also ELECTRUS_E_TOO_LARGE: no number is
 *               given twice, and after 2^27 there are no more)
 *     options   ELECTRUS_E_INVALID_ARGUMENT (also for NULL where it is not allowed), ELECTRUS_E_UNKNOWN_OPTION,
 *               ELECTRUS_E_INVALID_JSON, ELECTRUS_E_NOT_UTF8 (of a text that is no JSON), ELECTRUS_E_TOO_LARGE,
 *               ELECTRUS_E_INVALID_HANDLE (of a lock or progress in them)
 *     paths     ELECTRUS_E_INVALID_NAME, ELECTRUS_E_NOT_A_FILE, ELECTRUS_E_NOT_A_DIRECTORY, ELECTRUS_E_SYMLINK_LOOP
 *     names     those of paths, and ELECTRUS_E_PATH_ESCAPE, ELECTRUS_E_RESERVED_NAME
 *     system    ELECTRUS_E_PERMISSION_DENIED, ELECTRUS_E_READ_ONLY, ELECTRUS_E_NO_SPACE, ELECTRUS_E_TOO_MANY_OPEN_FILES,
 *               ELECTRUS_E_OUT_OF_MEMORY, ELECTRUS_E_TOO_LARGE, ELECTRUS_E_IO, ELECTRUS_E_UNSUPPORTED
 *     writes    ELECTRUS_E_LOCK_TIMEOUT, ELECTRUS_E_WOULD_DEADLOCK, ELECTRUS_E_NOT_LOCKED, ELECTRUS_E_DURABILITY_UNKNOWN
 *               (the change stands, but may not survive a power cut), ELECTRUS_E_CHECKSUM_MISMATCH (what stands there is not
 *               what was written), ELECTRUS_E_STORE_BUSY, ELECTRUS_E_DAMAGED, ELECTRUS_E_FORMAT_UNSUPPORTED,
 *               ELECTRUS_E_CANCELLED, ELECTRUS_E_CHANGED_WHILE_READ
 * and any function may answer ELECTRUS_E_PANIC or ELECTRUS_E_INTERNAL: a defect of the library, which goes on working.
 *
 * STABILITY. Numbers of codes, names of functions, options and keys of results stay as they are as long as
 * electrus_abi_version() gives ELECTRUS_ABI_VERSION. Check that once, when your program starts.
 */

#ifndef ELECTRUS_H
#define ELECTRUS_H

#include <stddef.h>
#include <stdint.h>

#define ELECTRUS_VERSION "0.1.0"

/** an argument is not valid */
#define ELECTRUS_E_INVALID_ARGUMENT 1
/** an option or operation of that name does not exist */
#define ELECTRUS_E_UNKNOWN_OPTION 2
/** no checksum algorithm has that name */
#define ELECTRUS_E_UNKNOWN_ALGORITHM 3
/** the text is not valid JSON */
#define ELECTRUS_E_INVALID_JSON 4
/** a pattern is not valid */
#define ELECTRUS_E_INVALID_PATTERN 5
/** a JSON patch does not apply to this document */
#define ELECTRUS_E_PATCH_FAILED 6
/** the content is not valid UTF-8 text */
#define ELECTRUS_E_NOT_UTF8 7
/** the file does not exist */
#define ELECTRUS_E_NOT_FOUND 20
/** the file has no such version */
#define ELECTRUS_E_VERSION_NOT_FOUND 21
/** there is no backup of that name */
#define ELECTRUS_E_BACKUP_NOT_FOUND 22
/** the JSON Pointer names nothing in this document */
#define ELECTRUS_E_POINTER_NOT_FOUND 23
/** this folder has no store yet */
#define ELECTRUS_E_NO_STORE 24
/** something of that name exists already */
#define ELECTRUS_E_ALREADY_EXISTS 40
/** the file is not what the caller expected it to be */
#define ELECTRUS_E_CHANGED 41
/** two versions claim one number: name one by its record */
#define ELECTRUS_E_NUMBER_CONFLICT 42
/** restoring would overwrite a file that has changed since */
#define ELECTRUS_E_WOULD_OVERWRITE 43
/** the file kept changing while it was read */
#define ELECTRUS_E_CHANGED_WHILE_READ 44
/** the name leads out of the base folder */
#define ELECTRUS_E_PATH_ESCAPE 60
/** the name is reserved for the store */
#define ELECTRUS_E_RESERVED_NAME 61
/** the name is not valid here */
#define ELECTRUS_E_INVALID_NAME 62
/** this is not a regular file */
#define ELECTRUS_E_NOT_A_FILE 63
/** this is not a folder */
#define ELECTRUS_E_NOT_A_DIRECTORY 64
/** too many symbolic links */
#define ELECTRUS_E_SYMLINK_LOOP 65
/** somebody else holds the lock, and the time-out has passed */
#define ELECTRUS_E_LOCK_TIMEOUT 80
/** the same owner holds this lock already */
#define ELECTRUS_E_WOULD_DEADLOCK 81
/** other writers have the store open */
#define ELECTRUS_E_STORE_BUSY 82
/** the lock handle does not hold a lock on this file */
#define ELECTRUS_E_NOT_LOCKED 83
/** permission denied */
#define ELECTRUS_E_PERMISSION_DENIED 100
/** the file system or the handle is read-only */
#define ELECTRUS_E_READ_ONLY 101
/** no space or quota left */
#define ELECTRUS_E_NO_SPACE 120
/** too many open files */
#define ELECTRUS_E_TOO_MANY_OPEN_FILES 121
/** not enough memory */
#define ELECTRUS_E_OUT_OF_MEMORY 122
/** this exceeds a limit */
#define ELECTRUS_E_TOO_LARGE 123
/** reading or writing failed */
#define ELECTRUS_E_IO 140
/** the change was made, but making it durable failed */
#define ELECTRUS_E_DURABILITY_UNKNOWN 141
/** source and target are on different file systems */
#define ELECTRUS_E_CROSS_DEVICE 142
/** the content does not have the expected checksum */
#define ELECTRUS_E_CHECKSUM_MISMATCH 160
/** stored data is damaged */
#define ELECTRUS_E_DAMAGED 161
/** the store was written by a newer version */
#define ELECTRUS_E_FORMAT_UNSUPPORTED 162
/** not supported here */
#define ELECTRUS_E_UNSUPPORTED 180
/** cancelled */
#define ELECTRUS_E_CANCELLED 181
/** the handle is closed or is not of this kind */
#define ELECTRUS_E_INVALID_HANDLE 182
/** a defect of this library was caught */
#define ELECTRUS_E_PANIC 183
/** a defect of this library */
#define ELECTRUS_E_INTERNAL 184


/**
 * The number of this interface. It grows when something that programs rely on changes; functions, options and keys of
 * results are added without that.
 */
#define ELECTRUS_ABI_VERSION 1

/**
 * The status of a call that did what it was asked to do.
 */
#define ELECTRUS_OK 0

/**
 * Backups: those of a base folder, or a backup folder of its own.
 */
typedef struct electrus_backup electrus_backup;

/**
 * A checksum of data that comes in pieces.
 */
typedef struct electrus_checksum electrus_checksum;

/**
 * An open base folder.
 */
typedef struct electrus_handler electrus_handler;

/**
 * JSON documents in a base folder.
 */
typedef struct electrus_json electrus_json;

/**
 * A lock that is held.
 */
typedef struct electrus_lock electrus_lock;

/**
 * Watches and cancels the calls that name it in their option `progress`.
 */
typedef struct electrus_progress electrus_progress;

/**
 * A file or version that is being read.
 */
typedef struct electrus_reader electrus_reader;

/**
 * An operation that runs beside the caller.
 */
typedef struct electrus_task electrus_task;

/**
 * Changes that are staged.
 */
typedef struct electrus_transaction electrus_transaction;

/**
 * The history of the files of a base folder.
 */
typedef struct electrus_versions electrus_versions;

/**
 * A file that is being written.
 */
typedef struct electrus_writer electrus_writer;

/**
 * Bytes that go in or come out.
 *
 * `data` may be NULL if `len` is 0.
 */
typedef struct electrus_bytes {
  /**
   * The first byte.
   */
  const void *data;
  /**
   * How many bytes.
   */
  size_t len;
} electrus_bytes;

/**
 * What has been done so far. A total of 0 is not known yet.
 */
typedef struct electrus_counts {
  /**
   * Files finished.
   */
  uint64_t files_done;
  /**
   * Files in all.
   */
  uint64_t files_total;
  /**
   * Bytes finished.
   */
  uint64_t bytes_done;
  /**
   * Bytes in all.
   */
  uint64_t bytes_total;
} electrus_counts;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the library, as in "1.2.3".
 *
 * Owns: the library owns the text, for ever.
 * Threads: any.
 * NULL: never given.
 * Errors: none.
 */
const char *electrus_version(void);

/**
 * The number of the interface that this library has: compare it with ELECTRUS_ABI_VERSION of the header.
 *
 * Owns: nothing changes hands.
 * Threads: any.
 * NULL: does not apply.
 * Errors: none; the number is no status.
 */
int32_t electrus_abi_version(void);

/**
 * What this build can do, as a JSON object: `version`, `abi_version`, `platform`, `algorithms`, `lock_scope` ("system":
 * locks exclude every process of this machine; "process": the threads of this one), `threads` (whether work runs beside
 * the caller), `panics` ("caught", or "trap" where a defect ends the program), `durability` (the most that can be
 * achieved), `modes`, `links`, `attributes` (what of a file is kept).
 *
 * Owns: the library owns the text, for ever.
 * Threads: any.
 * NULL: never given.
 * Errors: none.
 */
const char *electrus_features(void);

/**
 * Memory for `size` bytes of zeros, for callers that have none of their own to hand in (a WebAssembly host).
 *
 * Owns: the caller owns it and gives it back with electrus_free().
 * Threads: any.
 * NULL: given if there is no memory, never for a size of 0.
 * Errors: none but NULL.
 */
void *electrus_alloc(size_t size);

/**
 * Gives back what a function of this library gave: results, contents, memory of electrus_alloc(). NULL, and what was
 * given back already or never came from here, is left alone.
 *
 * Owns: the memory is gone.
 * Threads: any.
 * NULL: allowed.
 * Errors: none.
 */
void electrus_free(void *memory);

/**
 * The stable name of a status, as in "not_found"; "ok" for 0, "unknown" for a number that is no code.
 *
 * Owns: the library owns the text, for ever.
 * Threads: any.
 * NULL: never given.
 * Errors: none.
 */
const char *electrus_code_name(int32_t code);

/**
 * What a status means, in plain words.
 *
 * Owns: the library owns the text, for ever.
 * Threads: any.
 * NULL: never given.
 * Errors: none.
 */
const char *electrus_code_text(int32_t code);

/**
 * The tables of this library as one JSON object: `operations` with the keys of their requests and results, `types`,
 * `codes`, `functions` with theirs.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `result` may be.
 * Errors: none but ELECTRUS_E_PANIC.
 */
int32_t electrus_library_describe(char **result);

/**
 * What is open and what is with the caller: `handles` (a number for each kind), `buffers` and their `bytes`. For tests
 * that look for leaks.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `result` may be.
 * Errors: none but ELECTRUS_E_PANIC.
 */
int32_t electrus_library_usage(char **result);

/**
 * Makes an owner of locks, for programs whose tasks are not threads: pass its number as the option `owner`. An owner that
 * asks for a lock which it holds is told ELECTRUS_E_WOULD_DEADLOCK at once. Nothing needs to be given back.
 *
 * Owns: `*owner` is the caller's.
 * Threads: any.
 * NULL: nothing may be.
 * Errors: ELECTRUS_E_INVALID_ARGUMENT (`owner` is NULL).
 */
int32_t electrus_owner_create(uint64_t *owner);

/**
 * Reads a whole number out of a result: electrus_result_integer(result, "/version", &version). True is 1, false is 0.
 *
 * Owns: `*value` is the caller's; `result` is only read.
 * Threads: any.
 * NULL: nothing may be.
 * Errors: ELECTRUS_E_POINTER_NOT_FOUND; ELECTRUS_E_INVALID_ARGUMENT (NULL, or the value is none that fits);
 * ELECTRUS_E_INVALID_JSON; ELECTRUS_E_NOT_UTF8.
 */
int32_t electrus_result_integer(const char *result,
                                const char *pointer,
                                int64_t *value);

/**
 * Reads a text out of a result: electrus_result_text(result, "/checksum", &checksum). Numbers and other values are given
 * as JSON.
 *
 * Owns: the caller owns `*text`; `result` is only read.
 * Threads: any.
 * NULL: nothing may be.
 * Errors: those of electrus_result_integer(), and ELECTRUS_E_OUT_OF_MEMORY.
 */
int32_t electrus_result_text(const char *result,
                             const char *pointer,
                             char **text);

/**
 * How many items a list in a result has, or keys an object: electrus_result_count(result, "/versions", &count).
 *
 * Owns: `*count` is the caller's; `result` is only read.
 * Threads: any.
 * NULL: nothing may be.
 * Errors: those of electrus_result_integer().
 */
int32_t electrus_result_count(const char *result,
                              const char *pointer,
                              size_t *count);

/**
 * Opens an existing base folder: every name that its functions take is beneath it. Transactions that a crash left are
 * carried out, temporary files of dead writers removed; nothing is created.
 *
 * Options: `allow_outside` (names may lead out of the base), `read_only` (never change a byte), `shared` ("group": the
 * store is readable and writable by the folder's group), `backup_dir` (where backups go, relative to the base),
 * `backup_anywhere` (backups take, and restore to, ordinary paths). The result tells `base` and `recovered`, the transactions found.
 *
 * Owns: the caller owns `*handler` and closes it with electrus_handler_close(); it owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: options, paths, system; ELECTRUS_E_NOT_FOUND, ELECTRUS_E_NOT_A_DIRECTORY.
 */
int32_t electrus_handler_open(const char *base,
                              const char *options,
                              struct electrus_handler **handler,
                              char **result);

/**
 * Closes a handler, and reports a failure to write down what was postponed. Calls that run go on to their end; handles
 * that were made from it stay open.
 *
 * Owns: the handle is gone, also after an error; the caller owns `*result`.
 * Threads: any.
 * NULL: `result` may be.
 * Errors: handle, system.
 */
int32_t electrus_handler_close(struct electrus_handler *handler,
                               char **result);

/**
 * Runs any operation of the table by its name: the one function that a binding needs for all of them. `request` is a
 * JSON object with the operation's keys and those of every call (`owner`, `progress`); where it says `"content": N` it
 * means `contents[N]`, and `"lock": N` means the lock handle whose number, `(uintptr_t)lock`, is N. What the operation
 * reads comes back as `(*outputs)[N]`, where the result says `"content": N`.
 *
 * Owns: `contents` stay the caller's and are only read during the call. The caller owns `*outputs`, one block with the
 * bytes behind it, NULL if there are none, and frees it once; it owns `*result`.
 * Threads: any.
 * NULL: `request` (no keys); `contents` if `contents_count` is 0; `outputs` or `outputs_count` (what is read is dropped
 * then); `result`.
 * Errors: handle, options, and those of the operation.
 */
int32_t electrus_handler_call(const struct electrus_handler *handler,
                              const char *operation,
                              const char *request,
                              const struct electrus_bytes *contents,
                              size_t contents_count,
                              struct electrus_bytes **outputs,
                              size_t *outputs_count,
                              char **result);

/**
 * Replaces the content of a file: locked, atomic, durable, versioned, verified. Missing folders are created.
 *
 * Options and result: those of the operation `write`.
 *
 * Owns: `content` stays the caller's and is only read during the call; the caller owns `*result`.
 * Threads: any.
 * NULL: `content` if `content_len` is 0; `options`; `result`.
 * Errors: handle, options, names, system, writes; ELECTRUS_E_ALREADY_EXISTS, ELECTRUS_E_CHANGED (a condition).
 */
int32_t electrus_handler_write(const struct electrus_handler *handler,
                               const char *path,
                               const void *content,
                               size_t content_len,
                               const char *options,
                               char **result);

/**
 * Reads a whole file, or a version of it, into memory. For large ones see electrus_handler_reader().
 *
 * Options and result: those of the operation `read`, the content apart.
 *
 * Owns: the caller owns `*content` and `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, names, system; ELECTRUS_E_NOT_FOUND, ELECTRUS_E_VERSION_NOT_FOUND,
 * ELECTRUS_E_NUMBER_CONFLICT, ELECTRUS_E_CHECKSUM_MISMATCH, ELECTRUS_E_DAMAGED, ELECTRUS_E_CHANGED_WHILE_READ.
 */
int32_t electrus_handler_read(const struct electrus_handler *handler,
                              const char *path,
                              const char *options,
                              void **content,
                              size_t *content_len,
                              char **result);

/**
 * What is known of a file: size, checksum, times, newest version, permissions.
 *
 * Options and result: those of the operation `stat`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, names, system; ELECTRUS_E_NOT_FOUND.
 */
int32_t electrus_handler_stat(const struct electrus_handler *handler,
                              const char *path,
                              const char *options,
                              char **result);

/**
 * Copies a file, content and mode; the destination is written as by electrus_handler_write().
 *
 * Options and result: those of the operation `copy`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, names, system, writes; ELECTRUS_E_NOT_FOUND, ELECTRUS_E_ALREADY_EXISTS.
 */
int32_t electrus_handler_copy(const struct electrus_handler *handler,
                              const char *source,
                              const char *destination,
                              const char *options,
                              char **result);

/**
 * Renames a file; both histories tell of it. A symbolic link is renamed itself.
 *
 * Options and result: those of the operation `rename`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, names, system, writes; ELECTRUS_E_NOT_FOUND, ELECTRUS_E_ALREADY_EXISTS,
 * ELECTRUS_E_CROSS_DEVICE.
 */
int32_t electrus_handler_rename(const struct electrus_handler *handler,
                                const char *source,
                                const char *destination,
                                const char *options,
                                char **result);

/**
 * Deletes a file (of a symbolic link, the link); its history stays, and what stood there is in it.
 *
 * Options and result: those of the operation `delete`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, names, system, writes; ELECTRUS_E_NOT_FOUND.
 */
int32_t electrus_handler_delete(const struct electrus_handler *handler,
                                const char *path,
                                const char *options,
                                char **result);

/**
 * Checksums of a file beneath the base, several in one pass.
 *
 * Options and result: those of the operation `checksum`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, names, system; ELECTRUS_E_NOT_FOUND, ELECTRUS_E_UNKNOWN_ALGORITHM.
 */
int32_t electrus_handler_checksum(const struct electrus_handler *handler,
                                  const char *path,
                                  const char *options,
                                  char **result);

/**
 * Who holds the lock of a file beneath the base.
 *
 * Options and result: those of the operation `locks`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, names, system.
 */
int32_t electrus_handler_locks(const struct electrus_handler *handler,
                               const char *path,
                               const char *options,
                               char **result);

/**
 * Runs operations on all cores, those of one name in their order; one that fails fails alone, and the call itself
 * succeeds. `operations` is a JSON list of objects, each with its `type` and the keys of that operation.
 *
 * Options and result: those of the operation `batch`. Contents as in electrus_handler_call().
 *
 * Owns: as electrus_handler_call().
 * Threads: any.
 * NULL: `contents` if `contents_count` is 0; `options`; `outputs` or `outputs_count` (what is read is dropped then);
 * `result`.
 * Errors: handle, options (a lock in one of the operations that is no open lock handle included);
 * ELECTRUS_E_OUT_OF_MEMORY (all is done, but there is no room for what was read).
 */
int32_t electrus_handler_batch(const struct electrus_handler *handler,
                               const char *operations,
                               const struct electrus_bytes *contents,
                               size_t contents_count,
                               const char *options,
                               struct electrus_bytes **outputs,
                               size_t *outputs_count,
                               char **result);

/**
 * Writes, deletes, renames and copies several files, all or none, whenever the machine stops. `operations` as in
 * electrus_handler_batch(). To stage one by one see electrus_transaction_begin().
 *
 * Options and result: those of the operation `transaction`.
 *
 * Owns: `contents` stay the caller's and are only read during the call; the caller owns `*result`.
 * Threads: any.
 * NULL: `contents` if `contents_count` is 0; `options`; `result`.
 * Errors: handle, options, names, system, writes, and those of what stands in it.
 */
int32_t electrus_handler_transaction(const struct electrus_handler *handler,
                                     const char *operations,
                                     const struct electrus_bytes *contents,
                                     size_t contents_count,
                                     const char *options,
                                     char **result);

/**
 * Reads and checks every byte of the store, and changes none. That something is damaged is a result (`ok` is false),
 * and no error.
 *
 * Options and result: those of the operation `verify`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, system; ELECTRUS_E_CANCELLED.
 */
int32_t electrus_handler_verify(const struct electrus_handler *handler,
                                const char *options,
                                char **result);

/**
 * Rebuilds indexes and sets damage aside, so that everything else works on.
 *
 * Options and result: those of the operation `repair`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, system; ELECTRUS_E_STORE_BUSY.
 */
int32_t electrus_handler_repair(const struct electrus_handler *handler,
                                const char *options,
                                char **result);

/**
 * Imports what the original Python Electrus left in a folder (an ordinary path), which stays as it is.
 *
 * Options and result: those of the operation `import`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, paths, system, writes.
 */
int32_t electrus_handler_import(const struct electrus_handler *handler,
                                const char *from,
                                const char *options,
                                char **result);

/**
 * Carries out transactions that were decided and whose owners have died since the handler was opened: for programs that
 * run for long. The result tells `recovered`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `result` may be.
 * Errors: handle, system, writes.
 */
int32_t electrus_handler_recover(const struct electrus_handler *handler,
                                 char **result);

/**
 * Opens the history of a base folder; the options are those of electrus_handler_open().
 *
 * Owns: the caller owns `*versions` and closes it with electrus_versions_close(); it owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: those of electrus_handler_open().
 */
int32_t electrus_versions_open(const char *base,
                               const char *options,
                               struct electrus_versions **versions,
                               char **result);

/**
 * The same, on the base folder that a handler has open.
 *
 * Owns: the caller owns `*versions` and closes it with electrus_versions_close(), before or after the handler; it owns
 * `*result`.
 * Threads: any.
 * NULL: `result` may be.
 * Errors: handle.
 */
int32_t electrus_handler_versions(const struct electrus_handler *handler,
                                  struct electrus_versions **versions,
                                  char **result);

/**
 * Closes the handle. Calls that run go on to their end.
 *
 * Owns: the handle is gone, also after an error; the caller owns `*result`.
 * Threads: any.
 * NULL: `result` may be.
 * Errors: handle, system.
 */
int32_t electrus_versions_close(struct electrus_versions *versions, char **result);

/**
 * Records a file as it stands, whoever wrote it; the newest version again if it is that.
 *
 * Options and result: those of the operation `snapshot`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, names, system, writes; ELECTRUS_E_NOT_FOUND.
 */
int32_t electrus_versions_create(const struct electrus_versions *versions,
                                 const char *path,
                                 const char *options,
                                 char **result);

/**
 * The versions of a file by number, or, if `path` is NULL, every file that has some.
 *
 * Options and result: those of the operation `versions`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `path`, `options` and `result` may be.
 * Errors: handle, options, names, system; ELECTRUS_E_NOT_FOUND.
 */
int32_t electrus_versions_list(const struct electrus_versions *versions,
                               const char *path,
                               const char *options,
                               char **result);

/**
 * Reads a version into memory. `version` is its number; one of two that claim a number is named by the option `record`
 * (text, as the list gives it) instead, with `version` 0.
 *
 * Options and result: those of the operation `read`, the content apart.
 *
 * Owns: the caller owns `*content` and `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, names, system; ELECTRUS_E_VERSION_NOT_FOUND,
 * ELECTRUS_E_NUMBER_CONFLICT, ELECTRUS_E_CHECKSUM_MISMATCH, ELECTRUS_E_DAMAGED.
 */
int32_t electrus_versions_read(const struct electrus_versions *versions,
                               const char *path,
                               uint64_t version,
                               const char *options,
                               void **content,
                               size_t *content_len,
                               char **result);

/**
 * What changed from one version to another, or, if the option `to` is left out, to the file as it is.
 *
 * Options and result: those of the operation `diff`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, names, system; ELECTRUS_E_VERSION_NOT_FOUND, ELECTRUS_E_NOT_FOUND.
 */
int32_t electrus_versions_diff(const struct electrus_versions *versions,
                               const char *path,
                               uint64_t from,
                               const char *options,
                               char **result);

/**
 * Puts a version back: verified before it replaces, atomic, and recorded as a new version.
 *
 * Options and result: those of the operation `restore`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, names, system, writes; ELECTRUS_E_VERSION_NOT_FOUND, ELECTRUS_E_DAMAGED.
 */
int32_t electrus_versions_restore(const struct electrus_versions *versions,
                                  const char *path,
                                  uint64_t version,
                                  const char *options,
                                  char **result);

/**
 * Tags a version, so that prune keeps it, or (with the option `remove`) takes the tag away.
 *
 * Options and result: those of the operation `tag`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, names, system, writes; ELECTRUS_E_VERSION_NOT_FOUND.
 */
int32_t electrus_versions_tag(const struct electrus_versions *versions,
                              const char *path,
                              uint64_t version,
                              const char *tag,
                              const char *options,
                              char **result);

/**
 * Removes versions that no rule keeps, of one file or, if `path` is NULL, of all; the newest and the tagged stay.
 *
 * Options and result: those of the operation `prune`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `path`, `options` and `result` may be.
 * Errors: handle, options, names, system, writes; ELECTRUS_E_STORE_BUSY.
 */
int32_t electrus_versions_prune(const struct electrus_versions *versions,
                                const char *path,
                                const char *options,
                                char **result);

/**
 * Reads and checks every byte of the store, as electrus_handler_verify().
 *
 * Options and result: those of the operation `verify`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, system; ELECTRUS_E_CANCELLED.
 */
int32_t electrus_versions_verify(const struct electrus_versions *versions,
                                 const char *options,
                                 char **result);

/**
 * Opens the JSON documents of a base folder; the options are those of electrus_handler_open().
 *
 * Owns: the caller owns `*json` and closes it with electrus_json_close(); it owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: those of electrus_handler_open().
 */
int32_t electrus_json_open(const char *base,
                           const char *options,
                           struct electrus_json **json,
                           char **result);

/**
 * The same, on the base folder that a handler has open.
 *
 * Owns: the caller owns `*json` and closes it with electrus_json_close(), before or after the handler; it owns
 * `*result`.
 * Threads: any.
 * NULL: `result` may be.
 * Errors: handle.
 */
int32_t electrus_handler_json(const struct electrus_handler *handler,
                              struct electrus_json **json,
                              char **result);

/**
 * Closes the handle. Calls that run go on to their end.
 *
 * Owns: the handle is gone, also after an error; the caller owns `*result`.
 * Threads: any.
 * NULL: `result` may be.
 * Errors: handle, system.
 */
int32_t electrus_json_close(struct electrus_json *json, char **result);

/**
 * Reads a JSON document: `data` in the result, numbers digit for digit.
 *
 * Options and result: those of the operation `json_read`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, names, system; ELECTRUS_E_INVALID_JSON, ELECTRUS_E_NOT_FOUND,
 * ELECTRUS_E_CHECKSUM_MISMATCH.
 */
int32_t electrus_json_read(const struct electrus_json *json,
                           const char *path,
                           const char *options,
                           char **result);

/**
 * Reads the value that a JSON Pointer (RFC 6901) names in a document.
 *
 * Options and result: those of the operation `json_get`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, names, system; ELECTRUS_E_INVALID_JSON, ELECTRUS_E_NOT_FOUND,
 * ELECTRUS_E_POINTER_NOT_FOUND.
 */
int32_t electrus_json_get(const struct electrus_json *json,
                          const char *path,
                          const char *pointer,
                          const char *options,
                          char **result);

/**
 * Replaces a JSON document: UTF-8, indented by 2, keys in their order, numbers digit for digit. `data` is JSON.
 *
 * Options and result: those of the operation `json_write`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, names, system, writes; ELECTRUS_E_INVALID_JSON,
 * ELECTRUS_E_ALREADY_EXISTS, ELECTRUS_E_CHANGED.
 */
int32_t electrus_json_write(const struct electrus_json *json,
                            const char *path,
                            const char *data,
                            const char *options,
                            char **result);

/**
 * Sets one value in a JSON document, under the file's lock. `value` is JSON: a text has its quotes.
 *
 * Options and result: those of the operation `json_set`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, names, system, writes; ELECTRUS_E_INVALID_JSON,
 * ELECTRUS_E_POINTER_NOT_FOUND, ELECTRUS_E_CHANGED.
 */
int32_t electrus_json_set(const struct electrus_json *json,
                          const char *path,
                          const char *pointer,
                          const char *value,
                          const char *options,
                          char **result);

/**
 * Merges into a JSON document (RFC 7396), under the file's lock. `patch` is JSON; null removes a key.
 *
 * Options and result: those of the operation `json_merge`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, names, system, writes; ELECTRUS_E_INVALID_JSON,
 * ELECTRUS_E_CHANGED.
 */
int32_t electrus_json_merge(const struct electrus_json *json,
                            const char *path,
                            const char *patch,
                            const char *options,
                            char **result);

/**
 * Applies a JSON Patch (RFC 6902), all of it or nothing, under the file's lock. `patch` is JSON.
 *
 * Options and result: those of the operation `json_patch`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, names, system, writes; ELECTRUS_E_INVALID_JSON,
 * ELECTRUS_E_PATCH_FAILED, ELECTRUS_E_POINTER_NOT_FOUND, ELECTRUS_E_CHANGED.
 */
int32_t electrus_json_patch(const struct electrus_json *json,
                            const char *path,
                            const char *patch,
                            const char *options,
                            char **result);

/**
 * Opens a backup folder of its own; it need not exist yet, and is created by the first backup. What is backed up, and
 * where it is restored to, are ordinary paths.
 *
 * Options: `read_only` (never change a byte of the backup folder), `shared` ("group"). The result tells `folder`.
 *
 * Owns: the caller owns `*backup` and closes it with electrus_backup_close(); it owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: options, paths, system.
 */
int32_t electrus_backup_open(const char *folder,
                             const char *options,
                             struct electrus_backup **backup,
                             char **result);

/**
 * The backups of the base folder that a handler has open, where its option `backup_dir` says. The result tells `folder`.
 *
 * Owns: the caller owns `*backup` and closes it with electrus_backup_close(), before or after the handler; it owns
 * `*result`.
 * Threads: any.
 * NULL: `result` may be.
 * Errors: handle, system.
 */
int32_t electrus_handler_backup(const struct electrus_handler *handler,
                                struct electrus_backup **backup,
                                char **result);

/**
 * Closes the handle. Calls that run go on to their end.
 *
 * Owns: the handle is gone; the caller owns `*result`.
 * Threads: any.
 * NULL: `result` may be.
 * Errors: handle.
 */
int32_t electrus_backup_close(struct electrus_backup *backup, char **result);

/**
 * Backs files and folders up under a new name; what did not change is not stored again. `name` NULL makes one from the
 * time; `paths` is a JSON list of names, NULL the whole base.
 *
 * Options and result: those of the operation `backup_create`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `name`, `paths`, `options` and `result` may be.
 * Errors: handle, options, names, system, writes; ELECTRUS_E_ALREADY_EXISTS (the name), ELECTRUS_E_NOT_FOUND,
 * ELECTRUS_E_INVALID_NAME, ELECTRUS_E_INVALID_PATTERN, ELECTRUS_E_CANCELLED (no backup was made).
 */
int32_t electrus_backup_create(const struct electrus_backup *backup,
                               const char *name,
                               const char *paths,
                               const char *options,
                               char **result);

/**
 * Every backup, by time.
 *
 * Options and result: those of the operation `backup_list`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, names, system.
 */
int32_t electrus_backup_list(const struct electrus_backup *backup,
                             const char *options,
                             char **result);

/**
 * What a backup holds.
 *
 * Options and result: those of the operation `backup_show`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, names, system; ELECTRUS_E_BACKUP_NOT_FOUND, ELECTRUS_E_DAMAGED.
 */
int32_t electrus_backup_show(const struct electrus_backup *backup,
                             const char *name,
                             const char *options,
                             char **result);

/**
 * Reads one file of a backup into memory, verified. For large ones see electrus_backup_reader().
 *
 * Options and result: those of the operation `backup_read`, the content apart.
 *
 * Owns: the caller owns `*content` and `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, names, system; ELECTRUS_E_BACKUP_NOT_FOUND, ELECTRUS_E_NOT_FOUND,
 * ELECTRUS_E_NOT_A_FILE, ELECTRUS_E_DAMAGED.
 */
int32_t electrus_backup_read(const struct electrus_backup *backup,
                             const char *name,
                             const char *path,
                             const char *options,
                             void **content,
                             size_t *content_len,
                             char **result);

/**
 * Reads and checks every byte of a backup, or, if `name` is NULL, of all. That something is damaged is a result (`ok` is
 * false), and no error.
 *
 * Options and result: those of the operation `backup_verify`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `name`, `options` and `result` may be.
 * Errors: handle, options, names, system; ELECTRUS_E_BACKUP_NOT_FOUND, ELECTRUS_E_CANCELLED.
 */
int32_t electrus_backup_verify(const struct electrus_backup *backup,
                               const char *name,
                               const char *options,
                               char **result);

/**
 * Restores a backup or a part of it, to its place or elsewhere; in a base folder, what it replaces is in history first.
 *
 * Options and result: those of the operation `backup_restore`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, names, system, writes; ELECTRUS_E_BACKUP_NOT_FOUND,
 * ELECTRUS_E_WOULD_OVERWRITE (nothing was changed), ELECTRUS_E_DAMAGED, ELECTRUS_E_CANCELLED (what was restored stays).
 */
int32_t electrus_backup_restore(const struct electrus_backup *backup,
                                const char *name,
                                const char *options,
                                char **result);

/**
 * What stands in the way of a restore; nothing is changed.
 *
 * Options and result: those of the operation `backup_conflicts`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, names, system; ELECTRUS_E_BACKUP_NOT_FOUND, ELECTRUS_E_DAMAGED.
 */
int32_t electrus_backup_conflicts(const struct electrus_backup *backup,
                                  const char *name,
                                  const char *options,
                                  char **result);

/**
 * Removes backups that no rule keeps; the newest stays.
 *
 * Options and result: those of the operation `backup_prune`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, names, system, writes; ELECTRUS_E_STORE_BUSY.
 */
int32_t electrus_backup_prune(const struct electrus_backup *backup,
                              const char *options,
                              char **result);

/**
 * Begins a transaction beneath a handler's base: stage what is to be done, then commit it. Nothing is locked, read or
 * written before that.
 *
 * Options: those of the operation `transaction`, and those of every call.
 *
 * Owns: the caller owns `*transaction` and closes it with electrus_transaction_commit() or electrus_transaction_abort();
 * it owns `*result`.
 * Threads: any; calls with the same transaction wait for each other.
 * NULL: `options` and `result` may be.
 * Errors: handle, options.
 */
int32_t electrus_transaction_begin(const struct electrus_handler *handler,
                                   const char *options,
                                   struct electrus_transaction **transaction,
                                   char **result);

/**
 * Stages a write.
 *
 * Options: `if_checksum`, `if_absent`, `mode`, `lock`. The result tells `staged`, how many there are. What is wrong with it
 * is told by electrus_transaction_commit().
 *
 * Owns: `content` is copied; the caller owns `*result`.
 * Threads: any; calls with the same transaction wait for each other.
 * NULL: `content` if `content_len` is 0; `options`; `result`.
 * Errors: handle, options; ELECTRUS_E_OUT_OF_MEMORY.
 */
int32_t electrus_transaction_write(const struct electrus_transaction *transaction,
                                   const char *path,
                                   const void *content,
                                   size_t content_len,
                                   const char *options,
                                   char **result);

/**
 * Stages a delete.
 *
 * Options: `lock`. The result tells `staged`. What is wrong with it is told by electrus_transaction_commit().
 *
 * Owns: the caller owns `*result`.
 * Threads: any; calls with the same transaction wait for each other.
 * NULL: `options` and `result` may be.
 * Errors: handle, options.
 */
int32_t electrus_transaction_delete(const struct electrus_transaction *transaction,
                                    const char *path,
                                    const char *options,
                                    char **result);

/**
 * Stages a rename.
 *
 * Options: `if_absent`, `lock`. The result tells `staged`. What is wrong with it is told by electrus_transaction_commit().
 *
 * Owns: the caller owns `*result`.
 * Threads: any; calls with the same transaction wait for each other.
 * NULL: `options` and `result` may be.
 * Errors: handle, options.
 */
int32_t electrus_transaction_rename(const struct electrus_transaction *transaction,
                                    const char *source,
                                    const char *destination,
                                    const char *options,
                                    char **result);

/**
 * Stages a copy.
 *
 * Options: `if_absent`, `lock`. The result tells `staged`. What is wrong with it is told by electrus_transaction_commit().
 *
 * Owns: the caller owns `*result`.
 * Threads: any; calls with the same transaction wait for each other.
 * NULL: `options` and `result` may be.
 * Errors: handle, options.
 */
int32_t electrus_transaction_copy(const struct electrus_transaction *transaction,
                                  const char *source,
                                  const char *destination,
                                  const char *options,
                                  char **result);

/**
 * Does all that is staged, or nothing, whenever the machine stops, and closes the transaction. The result is that of the
 * operation `transaction`.
 *
 * Owns: the handle is gone, also after an error; the caller owns `*result`.
 * Threads: any.
 * NULL: `result` may be.
 * Errors: handle, options, names, system, writes, and those of what is staged; except after
 * ELECTRUS_E_DURABILITY_UNKNOWN, nothing was changed.
 */
int32_t electrus_transaction_commit(struct electrus_transaction *transaction,
                                    char **result);

/**
 * Forgets what is staged, and closes the transaction.
 *
 * Owns: the handle is gone; the caller owns `*result`.
 * Threads: any.
 * NULL: `result` may be.
 * Errors: handle.
 */
int32_t electrus_transaction_abort(struct electrus_transaction *transaction, char **result);

/**
 * Opens a file beneath a handler's base, or (with the option `version`) a version of it, to be read in pieces: one
 * descriptor, so the file as it was at one moment even if it is replaced meanwhile. What a version gives is verified as it
 * is read.
 *
 * Options: `version` (a number, or a record as text), `progress`. The result tells `size` in bytes.
 *
 * Owns: the caller owns `*reader` and closes it with electrus_reader_close(); it owns `*result`.
 * Threads: any; calls with the same reader wait for each other.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, names, system; ELECTRUS_E_NOT_FOUND, ELECTRUS_E_VERSION_NOT_FOUND,
 * ELECTRUS_E_NUMBER_CONFLICT, ELECTRUS_E_DAMAGED.
 */
int32_t electrus_handler_reader(const struct electrus_handler *handler,
                                const char *path,
                                const char *options,
                                struct electrus_reader **reader,
                                char **result);

/**
 * The same for a file of a backup.
 *
 * Options: `progress`. The result tells `size` in bytes.
 *
 * Owns: the caller owns `*reader` and closes it with electrus_reader_close(); it owns `*result`.
 * Threads: any; calls with the same reader wait for each other.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, names, system; ELECTRUS_E_BACKUP_NOT_FOUND, ELECTRUS_E_NOT_FOUND, ELECTRUS_E_NOT_A_FILE,
 * ELECTRUS_E_DAMAGED.
 */
int32_t electrus_backup_reader(const struct electrus_backup *backup,
                               const char *name,
                               const char *path,
                               const char *options,
                               struct electrus_reader **reader,
                               char **result);

/**
 * Reads on: fills `buffer`, or as much of it as there is content left. `*count` says how much that was; less than `len`
 * only at the end, 0 at the end itself.
 *
 * Owns: `buffer` stays the caller's and is written to during the call; the caller owns `*result`.
 * Threads: any; calls with the same reader wait for each other.
 * NULL: `buffer` if `len` is 0; `result`.
 * Errors: handle, system; ELECTRUS_E_DAMAGED, ELECTRUS_E_CANCELLED.
 */
int32_t electrus_reader_read(const struct electrus_reader *reader,
                             void *buffer,
                             size_t len,
                             size_t *count,
                             char **result);

/**
 * Reads a part: `len` bytes from `offset` on, wherever electrus_reader_read() stands, and without moving that. `*count`
 * is less than `len` only where the content ends.
 *
 * Owns: `buffer` stays the caller's and is written to during the call; the caller owns `*result`.
 * Threads: any; calls with the same reader wait for each other.
 * NULL: `buffer` if `len` is 0; `result`.
 * Errors: handle, system; ELECTRUS_E_DAMAGED, ELECTRUS_E_CANCELLED, ELECTRUS_E_INVALID_ARGUMENT (an offset beyond 2^63).
 */
int32_t electrus_reader_read_at(const struct electrus_reader *reader,
                                uint64_t offset,
                                void *buffer,
                                size_t len,
                                size_t *count,
                                char **result);

/**
 * Lets electrus_reader_read() go on at `offset`, which may be beyond the end.
 *
 * Owns: the caller owns `*result`.
 * Threads: any; calls with the same reader wait for each other.
 * NULL: `result` may be.
 * Errors: handle, system; ELECTRUS_E_INVALID_ARGUMENT (an offset beyond 2^63).
 */
int32_t electrus_reader_seek(const struct electrus_reader *reader, uint64_t offset, char **result);

/**
 * How long the content was when the reader was opened, in bytes.
 *
 * Owns: `*size` is the caller's; it owns `*result`.
 * Threads: any.
 * NULL: `result` may be.
 * Errors: handle.
 */
int32_t electrus_reader_size(const struct electrus_reader *reader, uint64_t *size, char **result);

/**
 * Closes a reader.
 *
 * Owns: the handle is gone; the caller owns `*result`.
 * Threads: any; a read that runs goes on to its end.
 * NULL: `result` may be.
 * Errors: handle.
 */
int32_t electrus_reader_close(struct electrus_reader *reader, char **result);

/**
 * Replaces the content of a file by its ordinary path, atomically and durably, or creates it; no lock, no history.
 *
 * Options: `durability`, `if_checksum`, `if_absent`, `mode`, `algorithm`. The result tells `file_path`, `size`, `checksum`,
 * `algorithm`, and the `durability` that was achieved.
 *
 * Owns: `content` stays the caller's and is only read during the call; the caller owns `*result`.
 * Threads: any.
 * NULL: `content` if `content_len` is 0; `options`; `result`.
 * Errors: options, paths, system, writes; ELECTRUS_E_ALREADY_EXISTS, ELECTRUS_E_CHANGED (a condition).
 */
int32_t electrus_atomic_write(const char *path,
                              const void *content,
                              size_t content_len,
                              const char *options,
                              char **result);

/**
 * Removes the temporary files that dead writers left in a folder (an ordinary path): `removed`, a list of `path`.
 *
 * Options: `include_unlocked` (also those of writers that cannot lock, under WASI: true only if none of those is at
 * work).
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: options, paths, system.
 */
int32_t electrus_atomic_tidy(const char *folder,
                             const char *options,
                             char **result);

/**
 * Opens a writer on an ordinary path: what is written takes the name all at once at electrus_writer_commit(); until then
 * readers see the old content. No lock, no history. For content that is larger than memory.
 *
 * Options: those of electrus_atomic_write(), and `progress`.
 *
 * Owns: the caller owns `*writer` and closes it with electrus_writer_commit() or electrus_writer_abort(); it owns
 * `*result`.
 * Threads: any; calls with the same writer wait for each other.
 * NULL: `options` and `result` may be.
 * Errors: options, paths, system, writes; ELECTRUS_E_ALREADY_EXISTS, ELECTRUS_E_CHANGED (a condition).
 */
int32_t electrus_writer_open(const char *path,
                             const char *options,
                             struct electrus_writer **writer,
                             char **result);

/**
 * Opens a writer beneath a handler's base: at electrus_writer_commit() the file is locked, versioned, verified and
 * replaced as by electrus_handler_write(), whose options it takes.
 *
 * Owns: the caller owns `*writer` and closes it with electrus_writer_commit() or electrus_writer_abort(); it owns
 * `*result`.
 * Threads: any; calls with the same writer wait for each other.
 * NULL: `options` and `result` may be.
 * Errors: handle, options, names, system, writes; ELECTRUS_E_ALREADY_EXISTS, ELECTRUS_E_CHANGED (a condition).
 */
int32_t electrus_handler_writer(const struct electrus_handler *handler,
                                const char *path,
                                const char *options,
                                struct electrus_writer **writer,
                                char **result);

/**
 * Writes more. After an error the writer can only be given up.
 *
 * Owns: `data` stays the caller's and is only read during the call; the caller owns `*result`.
 * Threads: any; calls with the same writer wait for each other.
 * NULL: `data` if `data_len` is 0; `result`.
 * Errors: handle, system; ELECTRUS_E_CANCELLED.
 */
int32_t electrus_writer_write(const struct electrus_writer *writer,
                              const void *data,
                              size_t data_len,
                              char **result);

/**
 * Lets what was written take the name, durably, and closes the writer. After an error the old content stands, unless it is
 * ELECTRUS_E_DURABILITY_UNKNOWN. The result is that of electrus_atomic_write() or electrus_handler_write().
 *
 * Owns: the handle is gone, also after an error; the caller owns `*result`.
 * Threads: any; it waits for a write that runs.
 * NULL: `result` may be.
 * Errors: handle, system, writes; ELECTRUS_E_ALREADY_EXISTS, ELECTRUS_E_CHANGED (a condition), ELECTRUS_E_NOT_LOCKED (the
 * lock that it was to use is released).
 */
int32_t electrus_writer_commit(struct electrus_writer *writer,
                               char **result);

/**
 * Gives up what was written, and closes the writer: everything is as it was before.
 *
 * Owns: the handle is gone, also after an error; the caller owns `*result`.
 * Threads: any; it waits for a write that runs.
 * NULL: `result` may be.
 * Errors: handle, system (the temporary file could not be removed).
 */
int32_t electrus_writer_abort(struct electrus_writer *writer, char **result);

/**
 * Begins a checksum, or several in one pass, of data that comes in pieces.
 *
 * Options: `algorithm` ("md5", "sha1", "sha256", which is the default, "sha512", "blake2b" or "blake3"), or `algorithms`, a
 * list of them.
 *
 * Owns: the caller owns `*checksum` and closes it with electrus_checksum_finish() or electrus_checksum_close(); it owns
 * `*result`.
 * Threads: any; calls with the same handle wait for each other.
 * NULL: `options` and `result` may be.
 * Errors: options; ELECTRUS_E_UNKNOWN_ALGORITHM.
 */
int32_t electrus_checksum_open(const char *options,
                               struct electrus_checksum **checksum,
                               char **result);

/**
 * Takes more data in.
 *
 * Owns: `data` stays the caller's and is only read during the call; the caller owns `*result`.
 * Threads: any; calls with the same handle wait for each other.
 * NULL: `data` if `data_len` is 0; `result`.
 * Errors: handle.
 */
int32_t electrus_checksum_update(const struct electrus_checksum *checksum,
                                 const void *data,
                                 size_t data_len,
                                 char **result);

/**
 * Ends it and closes the handle: `size`, `checksum`, `algorithm`, and `checksums` by the name of each algorithm.
 *
 * Owns: the handle is gone; the caller owns `*result`.
 * Threads: any.
 * NULL: `result` may be.
 * Errors: handle.
 */
int32_t electrus_checksum_finish(struct electrus_checksum *checksum,
                                 char **result);

/**
 * Closes the handle without a checksum.
 *
 * Owns: the handle is gone; the caller owns `*result`.
 * Threads: any.
 * NULL: `result` may be.
 * Errors: handle.
 */
int32_t electrus_checksum_close(struct electrus_checksum *checksum, char **result);

/**
 * Checksums of a file by its ordinary path, several in one pass: `file_path`, `size`, `checksum`, `algorithm`, `checksums`.
 *
 * Options: `algorithm`, `algorithms`, `chunk_size` (bytes to read at a time; chosen well unless given), `progress`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: options, paths, system; ELECTRUS_E_NOT_FOUND, ELECTRUS_E_UNKNOWN_ALGORITHM, ELECTRUS_E_CANCELLED.
 */
int32_t electrus_checksum_file(const char *path,
                               const char *options,
                               char **result);

/**
 * Whether a file, by its ordinary path, has a checksum (hex digits, with or without `ALGORITHM:` before them): `ok`, and
 * what it has, `checksum` and `algorithm`.
 *
 * Options: `algorithm` (where `expected` names none), `progress`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: options, paths, system; ELECTRUS_E_NOT_FOUND, ELECTRUS_E_UNKNOWN_ALGORITHM, ELECTRUS_E_INVALID_ARGUMENT
 * (`expected` is no checksum), ELECTRUS_E_CANCELLED.
 */
int32_t electrus_checksum_verify(const char *path,
                                 const char *expected,
                                 const char *options,
                                 char **result);

/**
 * Checksums of every file below a folder (an ordinary path), on all cores: `files`, sorted, of each `path` from the
 * folder, and `size`, `checksum`, `algorithm`, `checksums`, or `error`.
 *
 * Options: `algorithm`, `algorithms`, `progress`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `options` and `result` may be.
 * Errors: options, paths, system; ELECTRUS_E_NOT_FOUND, ELECTRUS_E_UNKNOWN_ALGORITHM, ELECTRUS_E_CANCELLED.
 */
int32_t electrus_checksum_tree(const char *folder,
                               const char *options,
                               char **result);

/**
 * Takes the lock of a file by its ordinary path; the file need not exist, its folder must. The lock of `P` is an flock on
 * `P.lock`, as flock(1) and Python's filelock take it.
 *
 * Options: `type` ("exclusive", the default, or "shared"), `timeout` (seconds; 0 tries once, negative waits for ever; 10
 * unless given), `owner`, `progress`. The result tells `type`, `since`, and `scope`: "system" if every process of this
 * machine is excluded, "process" if only threads of this one are.
 *
 * Owns: the caller owns `*lock` and gives it back with electrus_lock_release(); it owns `*result`.
 * Threads: any. The lock belongs to its owner, not to the thread: any thread may use and release it.
 * NULL: `options` and `result` may be.
 * Errors: options, paths, system; ELECTRUS_E_LOCK_TIMEOUT, ELECTRUS_E_WOULD_DEADLOCK (the same owner holds it),
 * ELECTRUS_E_CANCELLED, ELECTRUS_E_NOT_A_FILE (something else stands where the lock file should).
 */
int32_t electrus_lock_acquire(const char *path,
                              const char *options,
                              struct electrus_lock **lock,
                              char **result);

/**
 * The same for a file beneath a handler's base folder.
 *
 * Owns: the caller owns `*lock` and gives it back with electrus_lock_release(); it owns `*result`.
 * Threads: any. The lock belongs to its owner, not to the thread: any thread may use and release it.
 * NULL: `options` and `result` may be.
 * Errors: those of electrus_lock_acquire(); handle, names.
 */
int32_t electrus_handler_lock(const struct electrus_handler *handler,
                              const char *path,
                              const char *options,
                              struct electrus_lock **lock,
                              char **result);

/**
 * Gives a lock back, once no call runs under it any more (it waits for those), and closes its handle.
 *
 * Owns: the handle is gone, also after an error; the caller owns `*result`.
 * Threads: any.
 * NULL: `result` may be.
 * Errors: handle, system; ELECTRUS_E_INVALID_HANDLE also in a child that was forked from the process that holds it, whose
 * lock stays.
 */
int32_t electrus_lock_release(struct electrus_lock *lock,
                              char **result);

/**
 * How and since when a lock is held: `type`, `since`, `scope`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `result` may be.
 * Errors: handle.
 */
int32_t electrus_lock_show(const struct electrus_lock *lock, char **result);

/**
 * Lets programs that this one starts use the lock: set the environment variable `variable` of the result to its `value`
 * for them. Until the lock is released, a descriptor is open that every program which is started meanwhile inherits; a
 * program that keeps it open keeps the lock.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `result` may be.
 * Errors: handle, system; ELECTRUS_E_UNSUPPORTED where locks end at the process.
 */
int32_t electrus_lock_lend(const struct electrus_lock *lock,
                           char **result);

/**
 * Who holds the lock of a file, by its ordinary path, in this or another process or tool: `locked`, `holders` (of each
 * `pid`, `type`, `since`, `host`, `source`, null where that is not known), `scope`.
 *
 * Owns: the caller owns `*result`.
 * Threads: any.
 * NULL: `result` may be.
 * Errors: paths, system.
 */
int32_t electrus_lock_holders(const char *path,
                              char **result);

/**
 * Makes a progress handle: nothing done, not cancelled.
 *
 * A call takes part when its options hold `"progress": N`, where N is the handle's number, `(uintptr_t)progress`.
 * Several calls may share one: then their counts add up, and they are cancelled together.
 *
 * Owns: the caller owns `*progress` and closes it with electrus_progress_close().
 * Threads: any.
 * NULL: nothing may be.
 * Errors: ELECTRUS_E_INVALID_ARGUMENT (`progress` is NULL).
 */
int32_t electrus_progress_open(struct electrus_progress **progress);

/**
 * Asks every call that takes part to stop; each answers ELECTRUS_E_CANCELLED at its next safe point, with everything
 * as it was before it (a restore keeps the files that it has finished). It cannot be taken back.
 *
 * Not from a signal handler: let that set a flag, or let a thread wait for the signal.
 *
 * Owns: nothing changes hands.
 * Threads: any, also while calls run.
 * NULL: nothing may be.
 * Errors: ELECTRUS_E_INVALID_HANDLE.
 */
int32_t electrus_progress_cancel(const struct electrus_progress *progress);

/**
 * Tells how far the calls that take part are.
 *
 * Owns: `*counts` is the caller's.
 * Threads: any, also while calls run.
 * NULL: nothing may be.
 * Errors: ELECTRUS_E_INVALID_HANDLE, ELECTRUS_E_INVALID_ARGUMENT (`counts` is NULL).
 */
int32_t electrus_progress_read(const struct electrus_progress *progress,
                               struct electrus_counts *counts);

/**
 * Closes a progress handle. Calls that take part go on.
 *
 * Owns: the handle is gone.
 * Threads: any.
 * NULL: nothing may be.
 * Errors: ELECTRUS_E_INVALID_HANDLE (closed already, or of another kind).
 */
int32_t electrus_progress_close(struct electrus_progress *progress);

/**
 * Starts any operation of the table, as electrus_handler_call() runs it, on a thread of the library. A lock is taken on
 * behalf of the thread that starts it, unless the request names an `owner`.
 *
 * Owns: `contents` are copied. The caller owns `*task` and closes it with electrus_task_finish() or
 * electrus_task_close(); it owns `*result`.
 * Threads: any.
 * NULL: `request` (no keys); `contents` if `contents_count` is 0; `result`.
 * Errors: handle, options; ELECTRUS_E_OUT_OF_MEMORY (no thread can be had). What the operation meets is told by
 * electrus_task_finish().
 */
int32_t electrus_task_start(const struct electrus_handler *handler,
                            const char *operation,
                            const char *request,
                            const struct electrus_bytes *contents,
                            size_t contents_count,
                            struct electrus_task **task,
                            char **result);

/**
 * The same for operations on backups, with a backup handle.
 *
 * Owns: the caller owns `*task` and closes it with electrus_task_finish() or electrus_task_close(); it owns `*result`.
 * Threads: any.
 * NULL: `request` (no keys); `result`.
 * Errors: handle, options; ELECTRUS_E_OUT_OF_MEMORY (no thread can be had).
 */
int32_t electrus_task_start_backup(const struct electrus_backup *backup,
                                   const char *operation,
                                   const char *request,
                                   struct electrus_task **task,
                                   char **result);

/**
 * Starts to wait for a lock, of an ordinary path (`handler` NULL) or beneath a handler's base, on a thread of the library.
 * electrus_task_lock() gives it.
 *
 * Options: those of electrus_lock_acquire().
 *
 * Owns: the caller owns `*task` and closes it with electrus_task_lock() or electrus_task_close(); it owns `*result`.
 * Threads: any.
 * NULL: `handler`, `options` and `result` may be.
 * Errors: handle, options; ELECTRUS_E_OUT_OF_MEMORY (no thread can be had).
 */
int32_t electrus_task_start_lock(const struct electrus_handler *handler,
                                 const char *path,
                                 const char *options,
                                 struct electrus_task **task,
                                 char **result);

/**
 * How far a task is: `*counts`, and `done` in the result. It does not wait.
 *
 * Owns: `*counts` is the caller's; it owns `*result`.
 * Threads: any.
 * NULL: `counts` and `result` may be.
 * Errors: handle.
 */
int32_t electrus_task_poll(const struct electrus_task *task,
                           struct electrus_counts *counts,
                           char **result);

/**
 * Waits until a task is done, at most so many seconds (0 looks, negative waits for ever): `*done` is 1 or 0.
 *
 * Owns: `*done` is the caller's.
 * Threads: any.
 * NULL: nothing may be.
 * Errors: handle; ELECTRUS_E_INVALID_ARGUMENT (`done` is NULL, `seconds` no number).
 */
int32_t electrus_task_wait(const struct electrus_task *task,
                           double seconds,
                           int32_t *done);

/**
 * Asks a task to stop; it answers ELECTRUS_E_CANCELLED at its next safe point.
 *
 * Owns: nothing changes hands.
 * Threads: any.
 * NULL: nothing may be.
 * Errors: handle.
 */
int32_t electrus_task_cancel(const struct electrus_task *task);

/**
 * Waits for the end of an operation, gives what electrus_handler_call() would have given, and closes the task.
 *
 * Owns: the handle is gone, also after an error. The caller owns `*outputs`, one block, and `*result`.
 * Threads: any.
 * NULL: `outputs` or `outputs_count` (what is read is dropped then); `result`.
 * Errors: handle, and those of the operation; ELECTRUS_E_INVALID_ARGUMENT (the task takes a lock: it is given back).
 */
int32_t electrus_task_finish(struct electrus_task *task,
                             struct electrus_bytes **outputs,
                             size_t *outputs_count,
                             char **result);

/**
 * Waits for the end of a task that takes a lock, gives what electrus_lock_acquire() would have given, and closes the task.
 *
 * Owns: the task's handle is gone, also after an error. The caller owns `*lock` and gives it back with
 * electrus_lock_release(); it owns `*result`.
 * Threads: any.
 * NULL: `result` may be.
 * Errors: handle, and those of electrus_lock_acquire(); ELECTRUS_E_INVALID_ARGUMENT (the task gives no lock).
 */
int32_t electrus_task_lock(struct electrus_task *task,
                           struct electrus_lock **lock,
                           char **result);

/**
 * Cancels a task and closes it without waiting: what it gives in the end is dropped, a lock released.
 *
 * Owns: the handle is gone; the caller owns `*result`.
 * Threads: any.
 * NULL: `result` may be.
 * Errors: handle.
 */
int32_t electrus_task_close(struct electrus_task *task,
                            char **result);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* ELECTRUS_H */
