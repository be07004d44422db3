// Runs abi/conformance/*.json through electrus::handler; the format is explained in its README.
// usage: conformance ABI_FOLDER

#include "check.hpp"
#include "jsonc.hpp"

#include <electrus.hpp>

#include <algorithm>
#include <filesystem>
#include <set>

using jsonc::value;
namespace fs = std::filesystem;

namespace {

value operations; // abi/operations.json
std::set<std::string> seen;

std::string bytes_of(const value &content) {
    if (content.is(json_type_string)) return content.str();
    if (content.has("base64")) return electrus::detail::from_base64(content["base64"].str());
    std::string bytes;
    const std::string piece = content["repeat"].str();
    for (int i = std::stoi(content["times"].str()); i > 0; i--) bytes += piece;
    return bytes;
}

void put(const fs::path &base, const value &files) {
    for (const auto &[name, content] : files.members()) {
        const fs::path file = base / name;
        if (!content.is_null()) {
            fs::create_directories(file.parent_path());
            check::spill(file, bytes_of(content));
        } else if (name.back() == '/') {
            fs::create_directories(file);
        } else {
            fs::remove(file);
        }
    }
}

void stands(const fs::path &base, const value &files) {
    for (const auto &[name, content] : files.members()) {
        const bool there = fs::is_regular_file(base / name);
        if (there == content.is_null()) check::fail(name + (there ? " is there" : " is missing") + " afterwards");
        if (there && check::slurp(base / name) != bytes_of(content)) check::fail(name + " is another afterwards");
    }
}

value with_base(const value &text, const fs::path &base) {
    if (!text.is(json_type_string)) return text.map([&](const value &item) { return with_base(item, base); });
    std::string filled = text.str();
    for (std::size_t at = 0; (at = filled.find("$BASE", at)) != std::string::npos;) filled.replace(at, 5, base.string());
    return value::text(filled);
}

value with_results(const value &request, const std::vector<value> &results) {
    if (request.is(json_type_object) && request.has("$result")) {
        const value reference = request["$result"];
        return results.at(std::stoul(reference[0].str())).at(reference[1].str());
    }
    return request.map([&](const value &item) { return with_results(item, results); });
}

/// Of objects the keys that are expected, of lists every item, anything else exactly, numbers digit for digit.
void contains(const value &found, const value &expected, const std::string &at) {
    if (found.is(json_type_object) && expected.is(json_type_object)) {
        for (const auto &[key, member] : expected.members()) {
            if (!found.has(key)) check::fail(at + "/" + key + " is missing");
            contains(found[key], member, at + "/" + key);
        }
    } else if (found.is(json_type_array) && expected.is(json_type_array) && found.size() == expected.size()) {
        for (std::size_t i = 0; i < found.size(); i++) contains(found[i], expected[i], at + "/" + std::to_string(i));
    } else if (found.json() != expected.json()) {
        check::fail(at + " is " + found.json() + " and not " + expected.json());
    }
}

bool is_count(const value &found) { return found.is(json_type_int) && found.json()[0] != '-'; }

bool admits(const std::string &type, const value &found) {
    const auto items = found.items();
    const auto all = [&](json_type kind) {
        return found.is(json_type_array) && std::all_of(items.begin(), items.end(), [&](const value &v) { return v.is(kind); });
    };
    if (type == "json") return true;
    if (type == "flag") return found.is(json_type_boolean);
    if (type == "count" || type == "content" || type == "lock") return is_count(found);
    if (type == "version") return is_count(found) || found.is(json_type_string);
    if (type == "seconds") return found.is(json_type_int) || found.is(json_type_double);
    if (type == "paths" || type == "texts" || type == "algorithms") return all(json_type_string);
    if (type == "operations") return all(json_type_object);
    if (type == "list") return found.is(json_type_array);
    if (type == "object") return found.is(json_type_object);
    return found.is(json_type_string);
}

value described(const std::string &operation) {
    for (const value &row : operations["operations"].items()) {
        if (row["name"].str() == operation) return row;
    }
    check::fail("no operation is called " + operation);
}

/// Every key of a result is in the table, of the type given there, and every key that must be there is.
void documented(const std::string &operation, const value &result) {
    std::set<std::string> known = {"path_b64"};
    const value row = described(operation);
    for (const value &field : row["results"].items()) {
        const std::string key = field["key"].str(), type = field["type"].str(), presence = field["presence"].str();
        known.insert(key);
        if (type == "path") known.insert(key + "_b64");
        if (!result.has(key)) {
            if (presence != "sometimes") check::fail(key + " is missing");
        } else if (result[key].is_null() && presence == "or_null") {
            continue;
        } else if (!admits(type, result[key])) {
            check::fail(key + " is " + result[key].json() + ", and no " + type);
        }
    }
    for (const auto &[key, member] : result.members()) {
        if (!known.count(key)) check::fail(key + " is not documented");
    }
}

void compare(const std::vector<value> &expected, const electrus::outputs &found) {
    if (found.size() != expected.size()) check::fail(std::to_string(found.size()) + " contents came back");
    for (std::size_t i = 0; i < found.size(); i++) {
        if (found[i].text() != bytes_of(expected[i])) check::fail("content " + std::to_string(i) + " is another");
    }
}

value call(const electrus::handler &files, const fs::path &base, const value &step, const std::vector<value> &results) {
    const std::string operation = step["operation"].str();
    const value request = with_results(with_base(step["request"], base), results);
    std::vector<std::string> contents;
    for (const value &content : step["contents"].items()) contents.push_back(bytes_of(content));
    const electrus::inputs views(contents.begin(), contents.end());

    const auto answer = files.try_call(operation, electrus::json_text(request.json()), views);
    seen.insert(operation);
    if (step.has("error")) {
        if (answer) check::fail("it should fail, and gave " + std::string(answer->about.str()));
        if (step["error"].str() != answer.error().name()) check::fail(answer.error().what());
        return value();
    }
    if (!answer) check::fail(answer.error().what());
    const value result = value::parse(answer->about.str());
    documented(operation, result);
    contains(result, with_base(step["result"].is_null() ? value::parse("{}") : step["result"], base), "");
    if (step.has("outputs")) compare(step["outputs"].items(), answer->contents);
    return result;
}

electrus::options opened_with(const value &open) {
    electrus::options opts;
    for (const auto &[key, member] : open.members()) opts.set(key, electrus::json_text(member.json()));
    return opts;
}

void run(const value &one) {
    const check::folder scratch;
    const fs::path base = scratch.path() / "base";
    fs::create_directory(base);
    put(base, one["files"]);
    const electrus::handler files(base, opened_with(one["open"]));
    std::vector<value> results;
    for (const value &step : one["steps"].items()) {
        const std::string where = "step " + std::to_string(results.size()) + ": ";
        try {
            if (step.has("outside")) put(base, step["outside"]);
            results.push_back(step.has("outside") ? value() : call(files, base, step, results));
        } catch (const std::exception &why) {
            check::fail(where + why.what());
        }
    }
    stands(base, one["after"]);
}

std::vector<fs::path> cases_in(const fs::path &folder) {
    std::vector<fs::path> files;
    for (const auto &entry : fs::directory_iterator(folder)) {
        if (entry.path().extension() == ".json") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

} // namespace

int main(int count, char **arguments) {
    if (count != 2) {
        std::cerr << "usage: conformance ABI_FOLDER\n";
        return 2;
    }
    const fs::path abi = arguments[1];
    operations = value::parse(check::slurp(abi / "operations.json"));
    for (const fs::path &file : cases_in(abi / "conformance")) {
        const value document = value::parse(check::slurp(file));
        for (const value &one : document["cases"].items()) {
            check::that(file.filename().string() + ": " + one["name"].str(), [&] { run(one); });
        }
    }
    check::that("every operation of the table has been called", [] {
        for (const value &row : operations["operations"].items()) {
            if (!seen.count(row["name"].str())) check::fail(row["name"].str() + " has not");
        }
    });
    operations = value();
    check::that("nothing is left open and no memory with the caller", [] {
        const electrus::document usage = electrus::usage();
        CHECK(usage.integer("/buffers") == 0);
        CHECK(usage.integer("/handles/handler") == 0);
    });
    return check::done();
}
