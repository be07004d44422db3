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