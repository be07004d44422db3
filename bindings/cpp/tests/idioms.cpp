// What a C++ programmer relies on: moves, destructors, exceptions and results, names, contents, streams, threads.

#include "check.hpp"

#include <electrus.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <clocale>
#include <fstream>
#include <limits>
#include <set>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

using electrus::json_text;
using electrus::options;
namespace fs = std::filesystem;

namespace {

/// A base folder with a handler on it.
struct place {
    check::folder folder;
    electrus::handler files{folder.path()};
    fs::path at(const fs::path &name) const { return folder.path() / name; }
};

std::int64_t open_handles(const std::string &kind) { return electrus::usage().integer("/handles/" + kind); }

template <class Handle> void is_only_moved() {
    static_assert(!std::is_copy_constructible_v<Handle> && !std::is_copy_assignable_v<Handle>);
    static_assert(std::is_nothrow_move_constructible_v<Handle> && std::is_nothrow_move_assignable_v<Handle>);
    static_assert(std::is_nothrow_destructible_v<Handle> && std::is_nothrow_default_constructible_v<Handle>);
    Handle empty;
    CHECK(!empty && empty.number() == 0);
}

struct boom : std::runtime_error {
    using std::runtime_error::runtime_error;
};

template <class Body> void interrupted(Body body) {
    try {
        body();
    } catch (const boom &) {
        return;
    }
    check::fail("it was not interrupted");
}

// ----------------------------------------------------------------------------------------------------------- handles

void handles_move() {
    is_only_moved<electrus::handler>();
    is_only_moved<electrus::lock>();
    is_only_moved<electrus::writer>();
    is_only_moved<electrus::reader>();
    is_only_moved<electrus::checksum>();
    is_only_moved<electrus::backup>();
    is_only_moved<electrus::json>();
    is_only_moved<electrus::versions>();
    is_only_moved<electrus::transaction>();
    is_only_moved<electrus::progress>();
    is_only_moved<electrus::task>();
}

void moved_from_is_empty() {
    place here;
    electrus::handler other = std::move(here.files);
    CHECK(other && !here.files);
    CHECK_THROWS(here.files.stat("a"), ELECTRUS_E_INVALID_HANDLE);
    other.write("a", "1");
    here.files = std::move(other);
    CHECK(here.files.read("a").text() == "1");
    electrus::handler &same = here.files;
    here.files = std::move(same);
    CHECK(here.files.read("a").text() == "1");
}

void assignment_closes_what_was_held() {
    place here;
    const auto before = open_handles("reader");
    here.files.write("a", "1");
    here.files.write("b", "2");
    electrus::reader reader = here.files.reader("a");
    reader = here.files.reader("b");
    CHECK(open_handles("reader") == before + 1);
    char byte = 0;
    CHECK(reader.read(&byte, 1) == 1 && byte == '2');
}

void an_exception_releases_a_lock() {
    place here;
    interrupted([&] {
        const electrus::lock held = here.files.lock("a");
        CHECK(here.files.locks("a").flag("/locked"));
        throw boom("out");
    });
    CHECK(!here.files.locks("a").flag("/locked"));
}

void an_exception_aborts_a_writer() {
    place here;
    here.files.write("a", "old");
    interrupted([&] {
        const electrus::writer writer = here.files.writer("a");
        writer.write("new");
        throw boom("out");
    });
    CHECK(here.files.read("a").text() == "old");
    CHECK(open_handles("writer") == 0);
    std::set<std::string> names;
    for (const auto &entry : fs::directory_iterator(here.folder.path())) names.insert(entry.path().filename().string());
    for (const std::string &name : names) CHECK(name.find(".tmp") == std::string::npos);
}

void an_exception_aborts_a_transaction() {
    place here;
    interrupted([&] {
        const electrus::transaction changes = here.files.begin();
        changes.write("a", "1");
        throw boom("out");
    });
    CHECK(!fs::exists(here.at("a")));
    CHECK(open_handles("transaction") == 0);
}

void a_second_release_is_an_error() {
    place here;
    electrus::lock lock = here.files.lock("a");
    lock.release();
    CHECK(!lock);
    CHECK_THROWS(lock.release(), ELECTRUS_E_INVALID_HANDLE);
}

void a_condition_that_fails_is_reported_by_commit() {
    place here;
    electrus::writer writer = here.files.writer("a", options{}.set("if_absent", true));
    writer.write("mine");
    check::spill(here.at("a"), "theirs");
    CHECK_THROWS(writer.commit(), ELECTRUS_E_ALREADY_EXISTS);
    CHECK(!writer && check::slurp(here.at("a")) == "theirs");
}

void parts_outlive_their_handler() {
    check::folder folder;
    electrus::json documents;
    {
        const electrus::handler files(folder.path());
        documents = files.json();
    }
    documents.write("a.json", options{}.set("n", 1));
    CHECK(documents.get("a.json", "/n").integer("/data") == 1);
}

void a_handle_can_be_handed_to_c_and_taken_back() {
    place here;
    electrus_handler *raw = here.files.detach();
    CHECK(!here.files && raw);
    electrus::handler again(raw);
    again.write("a", "1");
    CHECK(electrus_handler_stat(again.raw(), "a", nullptr, nullptr) == ELECTRUS_OK);
}

void close_while_others_use_it() {
    place here;
    here.files.write("a", "1");
    std::atomic<bool> wrong{false}, stop{false};
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; i++) {
        threads.emplace_back([&] {
            while (!stop) {
                const auto read = here.files.try_read("a");
                if (!read && read.error().code() != ELECTRUS_E_INVALID_HANDLE) wrong = true;
                if (!read) return;
            }
        });
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    here.files.close();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    stop = true;
    for (std::thread &thread : threads) thread.join();
    CHECK(!wrong);
}

void a_forked_child_has_empty_shells() {
    place here;
    here.files.write("a", "1");
    electrus::lock lock = here.files.lock("a");
    const pid_t child = fork();
    if (child == 0) {
        const auto stat = here.files.try_stat("a");
        const bool refused = !stat && stat.error().code() == ELECTRUS_E_INVALID_HANDLE;
        lock = electrus::lock();
        here.files = electrus::handler();
        _exit(refused ? 0 : 1);
    }
    int status = -1;
    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    CHECK(here.files.locks("a").flag("/locked"));
    lock.release();
}

// ------------------------------------------------------------------------------------------------ errors and results

void an_error_tells_all_of_it() {
    place here;
    try {
        here.files.read("missing.txt");
        check::fail("it was read");
    } catch (const electrus::error &why) {
        CHECK(why.code() == ELECTRUS_E_NOT_FOUND);
        CHECK(std::string(why.name()) == "not_found");
        CHECK(why.message() == "the file does not exist");
        CHECK(why.path() == here.at("missing.txt"));
        CHECK(why.operation() == "read");
        CHECK(!why.retryable());
        CHECK(std::string(why.what()) == "not_found: " + here.at("missing.txt").string() + ": the file does not exist");
        const electrus::error copy = why;
        static_assert(std::is_nothrow_copy_constructible_v<electrus::error>);
        CHECK(std::string(copy.what()) == why.what());
    }
}

void a_lock_timeout_is_retryable() {
    place here;
    const electrus::lock held = here.files.lock("a");
    const auto other = here.files.try_lock("a", options{}.set("timeout", 0).set("owner", electrus::create_owner()));
    CHECK(!other && other.error().code() == ELECTRUS_E_LOCK_TIMEOUT && other.error().retryable());
}

void a_result_has_a_value_or_an_error() {
    place here;
    const auto missing = here.files.try_stat("a");
    CHECK(!missing && !missing.has_value());
    CHECK_THROWS(missing.value(), ELECTRUS_E_NOT_FOUND);
    CHECK(here.files.try_write("a", "12345").has_value());
    auto found = here.files.try_stat("a");
    CHECK(found && found->integer("/size") == 5 && (*found).has("/checksum"));
    const electrus::document taken = std::move(found).value();
    CHECK(taken.integer("/size") == 5);
    CHECK(taken.try_integer("/nothing").value_or(-1) == -1);
    CHECK(here.files.try_close().has_value());
    CHECK_THROWS(here.files.try_close().value(), ELECTRUS_E_INVALID_HANDLE);
}

void a_document_is_read_by_pointer() {
    place here;
    const electrus::document told = here.files.write("a", "12345");
    CHECK(told.integer("/size") == 5 && told.flag("/version_created") && told.text("/algorithm") == "sha256");
    CHECK(told.path("/file_path") == here.at("a"));
    CHECK(told.str().front() == '{' && told.has("/version") && !told.has("/nothing"));
    CHECK(here.files.versions().list(electrus::path("a")).count("/versions") == 1);
    const auto lookup = told.try_integer("/checksum");
    CHECK(!lookup && lookup.error().code() == ELECTRUS_E_INVALID_ARGUMENT);
    CHECK_THROWS(told.text("/nothing"), ELECTRUS_E_POINTER_NOT_FOUND);
    CHECK(electrus::document().str() == "{}");
}

// ----------------------------------------------------------------------------------------------- names and contents

void names_are_any_bytes() {
    place here;
    const fs::path odd("a\xff\xfe" "b");
    here.files.write(odd, "odd");
    CHECK(check::slurp(here.at(odd)) == "odd");
    CHECK(here.files.stat(odd).path("/file_path") == here.at(odd));
    here.files.copy(odd, fs::path("c\xff"));
    CHECK(here.files.call("read", options{}.set("path", fs::path("c\xff"))).contents[0].text() == "odd");
    const auto missing = here.files.try_read(fs::path("\xff"));
    CHECK(!missing && missing.error().path() == here.at("\xff"));
}

void a_name_with_a_zero_is_refused_and_not_cut() {
    place here;
    const fs::path zero(std::string("a\0b", 3));
    CHECK_THROWS(here.files.write(zero, "x"), ELECTRUS_E_INVALID_ARGUMENT);
    CHECK(!fs::exists(here.at("a")));
    CHECK_THROWS(here.files.call("write", options{}.set("path", zero).set("content", 0), {"x"}), ELECTRUS_E_INVALID_NAME);
    CHECK(!fs::exists(here.at("a")));
}

void names_of_every_string_type() {
    place here;
    here.files.write("literal", "1");
    here.files.write(std::string("string"), "2");
    here.files.write(std::string_view("view"), "3");
    here.files.write(fs::path("folder") / "path", "4");
    CHECK(check::slurp(here.at("folder/path")) == "4");
}

void contents_of_every_container() {
    place here;
    const std::string zeros("a\0b", 3);
    const std::vector<unsigned char> numbers = {0, 1, 255};
    const std::array<std::byte, 2> bytes = {std::byte{7}, std::byte{8}};
    const char raw[3] = {'x', 'y', 'z'};
    here.files.write("a", zeros);
    CHECK(check::slurp(here.at("a")) == zeros);
    here.files.write("a", std::string_view(zeros).substr(1));
    CHECK(check::slurp(here.at("a")) == zeros.substr(1));
    here.files.write("a", numbers);
    CHECK(check::slurp(here.at("a")) == std::string("\0\1\xff", 3));
    here.files.write("a", bytes);
    CHECK(check::slurp(here.at("a")) == "\7\x8");
    here.files.write("a", {raw, sizeof raw});
    CHECK(check::slurp(here.at("a")) == "xyz");
    here.files.write("a", {});
    CHECK(check::slurp(here.at("a")).empty());
    here.files.write("a", std::vector<char>());
    CHECK(here.files.read("a").bytes.empty());
    static_assert(!std::is_convertible_v<std::vector<int>, electrus::bytes_view>);
}

void a_buffer_owns_its_bytes() {
    place here;
    here.files.write("a", "12345");
    const auto before = electrus::usage().integer("/buffers");
    {
        electrus::content read = here.files.read("a");
        const electrus::buffer moved = std::move(read.bytes);
        CHECK(moved.size() == 5 && read.bytes.empty() && moved.view().text() == "12345");
        here.files.write("b", moved.view());
        const electrus::buffer zeros = electrus::buffer::zeros(16);
        CHECK(zeros.size() == 16 && zeros.data()[15] == std::byte{0});
    }
    CHECK(electrus::usage().integer("/buffers") == before);
    CHECK(here.files.read("b").text() == "12345");
}

// ------------------------------------------------------------------------------------------------------------ options

void options_make_safe_json() {
    const std::string text = "q\"b\\n\n\x01\u00e9";
    options opts;
    opts.set("text", text).set("no", false).set("n", -3).set("big", UINT64_MAX).set("half", 0.5).set("null", nullptr);
    opts.set("list", electrus::list{"a", 1, true}).set("inner", options{}.set("k", "v")).set("raw", json_text("[1.10]"));
    CHECK(opts.json() == "{\"text\":\"q\\\"b\\\\n\\u000a\\u0001\u00e9\",\"no\":false,\"n\":-3,\"big\":18446744073709551615,"
                         "\"half\":0.5,\"null\":null,\"list\":[\"a\",1,true],\"inner\":{\"k\":\"v\"},\"raw\":[1.10]}");
    opts.set("n", 4);
    CHECK(opts.json().find("\"n\":4") != std::string::npos && opts.json().find("-3") == std::string::npos);
    CHECK(options{}.set("k", fs::path("a")).json() == "{\"k\":\"a\"}");
    CHECK(options{}.set("k", fs::path("\xff")).json() == "{\"k_b64\":\"/w==\"}");
    CHECK(options{}.set("k", std::vector<std::string>{"x", "y"}).json() == "{\"k\":[\"x\",\"y\"]}");
}

void numbers_do_not_follow_the_locale() {
    const char *found = std::setlocale(LC_ALL, "de_DE.UTF-8");
    CHECK(options{}.set("s", 2.5).json() == "{\"s\":2.5}");
    if (found) std::setlocale(LC_ALL, "C");
}

void what_is_no_number_is_refused() {
    place here;
    const double none = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS(here.files.write("a", "x", options{}.set("timeout", none)), ELECTRUS_E_INVALID_JSON);
}

void a_misspelt_option_is_an_error() {
    place here;
    CHECK_THROWS(here.files.write("a", "x", options{}.set("creat_version", false)), ELECTRUS_E_UNKNOWN_OPTION);
    CHECK(here.files.write("a", "x", options{}.set("create_version", false)).flag("/version_created") == false);
}

void a_text_that_is_no_utf8_is_an_error() {
    place here;
    CHECK_THROWS(here.files.write("a", "x", options{}.set("mode", "\xff")), ELECTRUS_E_INVALID_JSON);
}

template <class Text, class = void> constexpr bool takes = false;
template <class Text>
constexpr bool takes<Text, std::void_t<decltype(std::declval<electrus::json>().write("a", std::declval<Text>()))>> = true;

void json_is_never_taken_for_a_text() {
    static_assert(!takes<const char *> && !takes<std::string> && !takes<std::string_view> && !takes<const char (&)[3]>);
    static_assert(takes<json_text> && takes<options> && takes<electrus::value> && takes<int> && takes<std::nullptr_t>);
    place here;
    const electrus::json documents = here.files.json();
    documents.write("a.json", json_text("{\"n\": 1.10}"));
    documents.set("a.json", "/text", "{\"not\": \"parsed\"}");
    CHECK(documents.get("a.json", "/text").text("/data") == "{\"not\": \"parsed\"}");
    CHECK(documents.get("a.json", "/n").text("/data") == "1.10");
    documents.merge("a.json", options{}.set("text", nullptr).set("more", electrus::list{1, 2}));
    CHECK(!documents.read("a.json").has("/data/text") && documents.read("a.json").count("/data/more") == 2);
    documents.patch("a.json", json_text(R"([{"op": "remove", "path": "/more/0"}])"));
    CHECK(documents.read("a.json").integer("/data/more/0") == 2);
    documents.write("b.json", electrus::value("only a text"));
    CHECK(documents.read("b.json").text("/data") == "only a text");
}

// --------------------------------------------------------------------------------------------------------- operations

void history_is_kept_and_restored() {
    place here;
    here.files.write("a", "one\n");
    here.files.write("a", "two\n");
    const electrus::versions history = here.files.versions();
    CHECK(history.read("a", 1).text() == "one\n");
    CHECK(history.list(electrus::path("a")).count("/versions") == 2 && history.list(std::nullopt).count("/files") == 1);
    CHECK(history.diff("a", 1).text("/diff").find("-one") != std::string::npos);
    history.tag("a", 1, "first");
    history.restore("a", 1);
    CHECK(here.files.read("a").text() == "one\n");
    check::spill(here.at("a"), "by hand\n");
    CHECK(history.create("a").integer("/version") == 4);
    history.prune(electrus::path("a"), options{}.set("keep_last", 1));
    CHECK(history.read("a", 1).text() == "one\n" && !history.try_read("a", 2));
    CHECK(history.verify().flag("/ok") && here.files.verify().flag("/ok"));
    here.files.repair();
}

void files_are_moved_and_removed() {
    place here;
    here.files.write("a", "1");
    here.files.rename("a", "b");
    here.files.copy("b", "c");
    here.files.remove("b");
    CHECK(!fs::exists(here.at("a")) && !fs::exists(here.at("b")) && check::slurp(here.at("c")) == "1");
    CHECK(here.files.checksum("c").text("/checksum") == here.files.stat("c").text("/checksum"));
    CHECK(here.files.recover().count("/recovered") == 0);
    check::folder empty;
    CHECK_THROWS(here.files.import_from(empty.path()), ELECTRUS_E_NOT_FOUND);
}

void backups_are_made_and_restored() {
    place here;
    here.files.write("a", "1");
    here.files.write("b/c", "2");
    electrus::backup backups = here.files.backup();
    CHECK(backups.create("all").integer("/file_count") == 2);
    CHECK(backups.create("part", std::vector<electrus::path>{"b"}).integer("/file_count") == 1);
    CHECK(backups.list().count("/backups") == 2 && backups.show("all").integer("/file_count") == 2);
    CHECK(backups.read("all", "b/c").text() == "2");
    char byte = 0;
    CHECK(backups.reader("all", "a").read(&byte, 1) == 1 && byte == '1');
    CHECK(backups.verify().flag("/ok") && backups.verify("all").integer("/backups") == 1);
    fs::remove(here.at("a"));
    CHECK(backups.conflicts("all").count("/conflicts") == 0);
    backups.restore("all", options{}.set("overwrite", true));
    CHECK(check::slurp(here.at("a")) == "1");
    CHECK(backups.prune(options{}.set("keep_last", 1)).integer("/backups") == 1);
    electrus::task task = backups.start("backup_create", options{}.set("name", "later"));
    CHECK(task.finish().about.text("/name") == "later");
    check::folder elsewhere;
    const electrus::backup own = electrus::backup::open(elsewhere.path() / "backups");
    CHECK(own.create("x", std::vector<electrus::path>{here.at("a")}).integer("/file_count") == 1);
    backups.close();
}

void batches_and_calls_take_contents_by_index() {
    place here;
    const std::string text = "two";
    const auto done = here.files.batch(electrus::operations{}
                                           .add("write", options{}.set("path", "a").set("content", 0))
                                           .add("write", options{}.set("path", "b").set("content", 1))
                                           .add("read", options{}.set("path", "a"))
                                           .add("read", options{}.set("path", "missing")),
                                       {"one", text});
    CHECK(done.about.count("/results") == 4);
    CHECK(done.contents.size() == 1 && done.contents[0].text() == "one");
    CHECK(done.about.text("/results/3/error/name") == "not_found");
    const auto read = here.files.call("read", json_text(R"({"path": "b"})"));
    CHECK(read.contents[0].text() == "two");
    CHECK_THROWS(here.files.call("nonsense"), ELECTRUS_E_UNKNOWN_OPTION);
}

void transactions_do_all_or_nothing() {
    place here;
    here.files.write("a", "1");
    electrus::transaction changes = here.files.begin();
    changes.write("b", "2");
    changes.copy("a", "c");
    changes.rename("a", "d");
    CHECK(changes.remove("missing").integer("/staged") == 4);
    CHECK_THROWS(changes.commit(), ELECTRUS_E_NOT_FOUND);
    CHECK(fs::exists(here.at("a")) && !fs::exists(here.at("b")));
    here.files.transaction(electrus::operations{}
                               .add("write", options{}.set("path", "b").set("content", 0))
                               .add("delete", options{}.set("path", "a")),
                           {"2"});
    CHECK(!fs::exists(here.at("a")) && check::slurp(here.at("b")) == "2");
    electrus::transaction forgotten = here.files.begin();
    forgotten.write("z", "1");
    forgotten.abort();
    CHECK(!fs::exists(here.at("z")));
}

void an_operation_runs_under_a_lock_that_is_held() {
    place here;
    electrus::lock lock = here.files.lock("a");
    CHECK(lock.opened().text("/type") == "exclusive" && lock.show().text("/scope") == "system");
    CHECK_THROWS(here.files.write("a", "x"), ELECTRUS_E_WOULD_DEADLOCK);
    here.files.write("a", "x", options{}.set("lock", lock));
    CHECK(lock.lend().has("/variable"));
    CHECK(electrus::lock::holders(here.at("a")).flag("/locked"));
    lock.release();
    CHECK_THROWS(here.files.write("a", "x", options{}.set("lock", lock)), ELECTRUS_E_INVALID_HANDLE);
    electrus::lock ordinary = electrus::lock::acquire(here.at("a"));
    ordinary.release();
}

void checksums_and_atomic_writes_need_no_handler() {
    place here;
    electrus::checksum sum = electrus::checksum::open(options{}.set("algorithms", electrus::list{"md5", "sha1"}));
    sum.update("ab");
    sum.update("c");
    CHECK(sum.finish().text("/checksums/md5") == "900150983cd24fb0d6963f7d28e17f72");
    electrus::atomic_write(here.at("a"), "abc");
    CHECK(electrus::checksum::file(here.at("a")).integer("/size") == 3);
    CHECK(electrus::checksum::verify(here.at("a"), "md5:900150983cd24fb0d6963f7d28e17f72").flag("/ok"));
    CHECK(electrus::checksum::tree(here.folder.path()).count("/files") == 1);
    CHECK(electrus::atomic_tidy(here.folder.path()).count("/removed") == 0);
    electrus::writer writer = electrus::writer::open(here.at("w"));
    writer.write("1");
    CHECK(writer.commit().integer("/size") == 1);
    electrus::checksum::open().close();
}

void tasks_run_beside_and_are_cancelled() {
    place here;
    electrus::task write = here.files.start("write", options{}.set("path", "a").set("content", 0), {"beside"});
    CHECK(write.wait(std::chrono::seconds(60)) && write.poll().done);
    CHECK(write.finish().about.integer("/size") == 6 && !write);
    electrus::task read = here.files.start("read", options{}.set("path", "a"));
    CHECK(read.finish().contents[0].text() == "beside");

    electrus::lock held = here.files.lock("a");
    const auto other = options{}.set("owner", electrus::create_owner()).set("timeout", -1);
    electrus::task waiting = here.files.start_lock("a", other);
    CHECK(!waiting.wait(0.05));
    waiting.cancel();
    CHECK_THROWS(waiting.lock(), ELECTRUS_E_CANCELLED);
    electrus::task second = electrus::task::start_lock(here.at("a"), other);
    held.release();
    electrus::lock got = second.lock();
    CHECK(here.files.locks("a").flag("/locked"));
    here.files.start_lock("a", other).close();
}

void progress_is_watched_and_cancelled() {
    place here;
    here.files.write("a", std::string(100000, 'x'));
    electrus::progress progress = electrus::progress::open();
    here.files.checksum("a", options{}.set("progress", progress));
    CHECK(progress.read().bytes_done == 100000);
    progress.cancel();
    CHECK_THROWS(here.files.checksum("a", options{}.set("progress", progress)), ELECTRUS_E_CANCELLED);
    progress.close();
}

// ------------------------------------------------------------------------------------------------------------ streams

void readers_read_in_pieces() {
    place here;
    here.files.write("a", "0123456789");
    electrus::reader reader = here.files.reader("a");
    here.files.write("a", "replaced meanwhile");
    char room[4] = {};
    CHECK(reader.size() == 10 && reader.opened().integer("/size") == 10);
    CHECK(reader.read(room, 4) == 4 && std::string(room, 4) == "0123");
    CHECK(reader.read_at(8, room, 4) == 2 && std::string(room, 2) == "89");
    reader.seek(5);
    CHECK(reader.read(room, 4) == 4 && std::string(room, 4) == "5678");
    CHECK(reader.read(room, 4) == 1 && reader.read(room, 4) == 0);
    reader.close();
    electrus::reader old = here.files.reader("a", options{}.set("version", 1));
    CHECK(old.size() == 10);
}

void streams_write_and_read() {
    place here;
    const int lines = 50000;
    electrus::writer_stream out(here.files.writer("list.txt"));
    for (int i = 0; i < lines; i++) out << "line " << i << '\n';
    CHECK(!fs::exists(here.at("list.txt")));
    const electrus::document told = out.commit();
    CHECK(static_cast<std::uintmax_t>(told.integer("/size")) == fs::file_size(here.at("list.txt")));

    electrus::reader_stream in(here.files.reader("list.txt"));
    std::string word;
    int number = 0, count = 0;
    while (in >> word >> number) CHECK(number == count++);
    CHECK(count == lines && in.eof() && !in.bad());
    in.clear();
    in.seekg(5);
    CHECK(in >> number && number == 0 && in.tellg() == std::streampos(6));
    in.seekg(-2, std::ios::end);
    CHECK(in.get() == '9');
}

void a_stream_that_is_dropped_changes_nothing() {
    place here;
    here.files.write("a", "old");
    {
        electrus::writer_stream out(here.files.writer("a"));
        out << "new" << std::flush;
        CHECK(out.good());
    }
    CHECK(here.files.read("a").text() == "old");
}

void a_stream_that_fails_is_bad_and_says_why() {
    place here;
    here.files.write("a", std::string(300000, 'x'));
    const electrus::progress progress = electrus::progress::open();
    electrus::reader_stream in(here.files.reader("a", options{}.set("progress", progress)));
    electrus::writer_stream out(here.files.writer("b", options{}.set("progress", progress)));
    progress.cancel();
    std::string rest{std::istreambuf_iterator<char>(in), {}};
    CHECK(in.bad() && in.failed() && in.failed()->code() == ELECTRUS_E_CANCELLED);
    out << std::string(300000, 'y') << std::flush;
    CHECK(out.bad());
    CHECK_THROWS(out.commit(), ELECTRUS_E_CANCELLED);
    CHECK(!fs::exists(here.at("b")));
}

// ------------------------------------------------------------------------------------------------------- the library

void the_library_is_the_one_of_the_header() {
    CHECK(electrus::abi_matches());
    CHECK(electrus::version() == ELECTRUS_VERSION);
    CHECK(electrus::features().find("\"algorithms\"") != std::string_view::npos);
    CHECK(electrus::describe().count("/operations") > 20);
}

void nothing_is_left_open() {
    const electrus::document usage = electrus::usage();
    for (const char *kind : {"handler", "lock", "writer", "reader", "checksum", "backup", "json", "versions",
                             "transaction", "progress"}) {
        CHECK(usage.integer(std::string("/handles/") + kind) == 0);
    }
    CHECK(usage.integer("/buffers") == 0);
}

const std::vector<std::pair<const char *, void (*)()>> behaviours = {
    {"handles are moved and never copied", handles_move},
    {"a handle that was moved from is empty, and its calls say so", moved_from_is_empty},
    {"assigning to a handle closes what it held", assignment_closes_what_was_held},
    {"an exception releases a lock", an_exception_releases_a_lock},
    {"an exception aborts a writer, and the old content stands", an_exception_aborts_a_writer},
    {"an exception aborts a transaction", an_exception_aborts_a_transaction},
    {"release() says when there is nothing to release", a_second_release_is_an_error},
    {"commit() reports a condition that does not hold any more", a_condition_that_fails_is_reported_by_commit},
    {"what came from a handler lives on without it", parts_outlive_their_handler},
    {"a handle can be handed to C and taken back", a_handle_can_be_handed_to_c_and_taken_back},
    {"a handler can be closed while eight threads use it", close_while_others_use_it},
    {"in a forked child objects are empty shells, and the parent's lock stays", a_forked_child_has_empty_shells},
    {"an error tells code, name, words, path and operation, and is copied", an_error_tells_all_of_it},
    {"a lock's time-out may be tried again", a_lock_timeout_is_retryable},
    {"a result has a value or an error, and throws only when asked", a_result_has_a_value_or_an_error},
    {"a document is read by JSON Pointer", a_document_is_read_by_pointer},
    {"names hold any bytes, in and out", names_are_any_bytes},
    {"a name with a zero in it is refused and never cut", a_name_with_a_zero_is_refused_and_not_cut},
    {"names come from every type of string", names_of_every_string_type},
    {"contents come from every container of bytes", contents_of_every_container},
    {"a buffer owns its bytes and gives them back", a_buffer_owns_its_bytes},
    {"options make JSON that is safe", options_make_safe_json},
    {"numbers in options do not follow the locale", numbers_do_not_follow_the_locale},
    {"what is no number is refused", what_is_no_number_is_refused},
    {"a misspelt option is an error", a_misspelt_option_is_an_error},
    {"a text that is no UTF-8 is an error", a_text_that_is_no_utf8_is_an_error},
    {"a bare string is never taken for JSON, nor JSON for a string", json_is_never_taken_for_a_text},
    {"history is kept, compared, tagged, pruned and restored", history_is_kept_and_restored},
    {"files are renamed, copied, removed and imported", files_are_moved_and_removed},
    {"backups are made, read, verified, restored and pruned", backups_are_made_and_restored},
    {"a batch and a call take contents by index", batches_and_calls_take_contents_by_index},
    {"a transaction does all or nothing", transactions_do_all_or_nothing},
    {"an operation runs under a lock that is held", an_operation_runs_under_a_lock_that_is_held},
    {"checksums and atomic writes need no handler", checksums_and_atomic_writes_need_no_handler},
    {"a task runs beside its caller and can be cancelled", tasks_run_beside_and_are_cancelled},
    {"progress is watched, and cancels", progress_is_watched_and_cancelled},
    {"a reader reads in pieces what stood there when it was opened", readers_read_in_pieces},
    {"streams write and read", streams_write_and_read},
    {"a stream that is dropped changes nothing", a_stream_that_is_dropped_changes_nothing},
    {"a stream that fails is bad and says why", a_stream_that_fails_is_bad_and_says_why},
    {"the library is the one of the header", the_library_is_the_one_of_the_header},
    {"nothing is left open", nothing_is_left_open},
};

} // namespace

int main() {
    for (const auto &[behaviour, body] : behaviours) check::that(behaviour, body);
    return check::done();
}
