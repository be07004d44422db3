"""What the tests need of the header that the tables do not hold: which parameters may be NULL."""
import re


def nullable(header):
    """By function: each parameter that its comment allows to be NULL, and the condition ("" if there is none)."""
    found = {}
    for comment, name in re.findall(r"/\*\*((?:(?!\*/).)*)\*/[^;{}#]*?\b(electrus_\w+)\([^;]*?\);", header, re.S):
        line = re.search(r"^ \* NULL:(.*?)^ \* Errors:", comment, re.S | re.M).group(1).replace("\n *", " ")
        found[name] = {}
        for clause in re.split(r";|\.$", " ".join(line.split())):
            names, _, condition = clause.partition(" if ")
            for parameter in re.findall(r"`(\w+)`", names):
                found[name][parameter] = condition
    return found
