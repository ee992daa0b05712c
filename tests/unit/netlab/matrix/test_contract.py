from __future__ import annotations

from pathlib import Path

import pytest

from netlab.errors import UsageProblem
from netlab.matrix.contract import (
    MAX_FILE_SIZE,
    BadContract,
    ProgramUnavailable,
    UnknownProgram,
    filled_in,
    find_contract,
    load_contract,
    shipped_programs,
)

SIDES = '[callee]\nargv = ["true"]\n[caller]\nargv = ["true"]\n'
LEAST = f'name = "punch"\n{SIDES}'


def written(folder: Path, text: str) -> Path:
    file = folder / "punch.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_least_contract_has_a_name_and_two_sides(tmp_path: Path) -> None:
    contract = load_contract(written(tmp_path, LEAST))
    assert (contract.name, contract.caller.argv, contract.servers) == ("punch", ("true",), ())
    assert contract.direct_codes == (0,)
    assert contract.timeout == 5.0


def test_every_key_is_read(tmp_path: Path) -> None:
    contract = load_contract(
        written(
            tmp_path,
            """
            name = "punch"
            description = "of mine"
            timeout = 7
            [needs]
            modules = ["json"]
            backends = ["namespaces"]
            [[server]]
            argv = ["one", "{server}"]
            ready = "up"
            [[server]]
            argv = ["two"]
            [callee]
            argv = ["three", "{id}"]
            ready = '^{id} [A-Z]{2}$'
            ready_on = "server"
            ends = true
            [caller]
            argv = ["four", "{peer}"]
            [exit_codes]
            direct = [0, 7]
            """,
        )
    )
    assert [server.argv[0] for server in contract.servers] == ["one", "two"]
    assert (contract.callee.ready, contract.callee.ready_on, contract.callee.ends) == (
        "^{id} [A-Z]{2}$",
        "server",
        True,
    )
    assert (contract.timeout, contract.direct_codes, contract.modules) == (7.0, (0, 7), ("json",))
    assert contract.backends == ("namespaces",)


def test_one_server_needs_no_list(tmp_path: Path) -> None:
    assert len(load_contract(written(tmp_path, f'{LEAST}[server]\nargv = ["s"]\n')).servers) == 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (SIDES, "name: is missing"),
        ('name = "x"\n[caller]\nargv = ["true"]\n', "callee: is missing"),
        ('name = "x"\n[callee]\nargv = ["true"]\n', "caller: is missing"),
        (f"nmae = 1\n{LEAST}", "nmae: unknown key, did you mean name?"),
        (f"zzz = 1\n{LEAST}", "zzz: unknown key, expected one of name, description"),
        (f"name = 3\n{SIDES}", "name: got 3, expected up to 32 letters"),
        (f'name = "../x"\n{SIDES}', "name: got '../x', expected up to 32 letters"),
        (f'name = "{"x" * 33}"\n{SIDES}', "name: got 'xxx"),
        (f'description = "a\\nb"\n{LEAST}', "description: got 'a\\nb', expected one line"),
        (f'timeout = "5s"\n{LEAST}', "timeout: got '5s', expected seconds, up to 600"),
        (f"timeout = 0\n{LEAST}", "timeout: got 0, expected"),
        (f"timeout = 601\n{LEAST}", "timeout: got 601, expected"),
        (f"timeout = nan\n{LEAST}", "timeout: got nan, expected"),
        (f"timeout = true\n{LEAST}", "timeout: got True, expected"),
        (f"needs = 1\n{LEAST}", "needs: got 1, expected a table"),
        (f'{LEAST}[needs]\nmodule = ["x"]\n', "needs.module: unknown key, did you mean modules?"),
        (f'{LEAST}[needs]\nmodules = "x"\n', "needs.modules: got 'x', expected 1 to 16 strings"),
        (f'{LEAST}[needs]\nbackends = ["vm"]\n', "needs.backends: got 'vm', expected namespaces and docker"),
        (f"server = 1\n{LEAST}", "server: got 1, expected [server] or up to 8 of [[server]]"),
        (LEAST + '[[server]]\nargv = ["x"]\n' * 9, "server: got [{"),
        (f"{LEAST}[[server]]\nready = 'x'\n", "server.argv: is missing"),
        (f"{LEAST}[[server]]\nargv = ['x']\nends = true\n", "server.ends: unknown key"),
        (
            f"callee = 1\n{LEAST.replace('[callee]', '[[server]]')}",
            "callee: got 1, expected a table [callee]",
        ),
        (LEAST.replace('["true"]', "[]", 1), "callee.argv: got [], expected 1 to 64 strings"),
        (LEAST.replace('["true"]', '"true"', 1), "callee.argv: got 'true', expected 1 to 64 strings"),
        (LEAST.replace('["true"]', "[1]", 1), "callee.argv: got [1], expected"),
        (LEAST.replace('["true"]', '["{sever}"]', 1), "unknown placeholder {sever}, did you mean server?"),
        (
            LEAST.replace('["true"]', '["{zzzz}"]', 1),
            "unknown placeholder {zzzz}, expected one of artefacts",
        ),
        (
            LEAST.replace("[caller]", 'ready = "("\n[caller]'),
            "callee.ready: got '(', expected a regular expr",
        ),
        (LEAST.replace("[caller]", "ready = '{pear}'\n[caller]"), "callee.ready: unknown placeholder {pear}"),
        (
            LEAST.replace("[caller]", 'ready_on = "me"\n[caller]'),
            "callee.ready_on: got 'me', expected 'self'",
        ),
        (LEAST.replace("[caller]", "ends = 1\n[caller]"), "callee.ends: got 1, expected true or false"),
        (f"{LEAST}ready = 'x'\n", "caller.ready: unknown key"),
        (f"{LEAST}[exit_codes]\ndirect = 0\n", "exit_codes.direct: got 0, expected exit codes"),
        (f"{LEAST}[exit_codes]\ndirect = [256]\n", "exit_codes.direct: got [256], expected exit codes"),
        (f"{LEAST}[exit_codes]\nfailed = [1]\n", "exit_codes.failed: unknown key"),
        ("name = ", "not a TOML file"),
        ("#" * (MAX_FILE_SIZE + 1), "got more than 65536 bytes"),
        (f"timeout = 1{'0' * 400}\n{LEAST}", "timeout: got 1000"),
        (f"timeout = 0x{'f' * 5000}\n{LEAST}", "timeout: got a number of thousands of digits, expected"),
        (f'"\\u001b[2J" = 1\n{LEAST}', "\N{REPLACEMENT CHARACTER}[2J: unknown key"),
        (LEAST.replace("[caller]", "ready = 'x{99999999999}'\n[caller]"), "callee.ready: got 'x{999"),
    ],
)
def test_what_is_wrong_is_one_line_with_file_and_key(tmp_path: Path, text: str, complaint: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(BadContract) as raised:
        load_contract(file)
    assert str(raised.value).startswith(f"{file}: ")
    assert complaint in str(raised.value)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 600


def test_a_file_that_is_no_text_or_not_there_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BadContract, match="not UTF-8"):
        load_contract(tmp_path / "bytes.toml")
    with pytest.raises(BadContract, match="No such file"):
        find_contract(str(tmp_path / "none.toml"))
    with pytest.raises(BadContract, match="Is a directory"):
        load_contract(tmp_path)


def test_a_name_that_nobody_knows_says_the_nearest() -> None:
    with pytest.raises(UnknownProgram, match=r"unknown program 'pear': did you mean peer\?"):
        find_contract("pear")
    with pytest.raises(UsageProblem, match="expected aioice, peer or the path of a TOML file"):
        find_contract("zzzzzz")


def test_the_shipped_contracts_can_be_read() -> None:
    assert shipped_programs() == ("aioice", "peer")
    for name in shipped_programs():
        assert find_contract(name).name == name


def test_a_missing_module_and_a_backend_that_will_not_do_are_one_line(tmp_path: Path) -> None:
    needy = load_contract(written(tmp_path, f'{LEAST}[needs]\nmodules = ["no_such_module"]\n'))
    with pytest.raises(ProgramUnavailable, match="needs no_such_module, which is not installed: try `pip"):
        needy.require("namespaces")
    for name in ("json.no_such_module", "no_such_module.json", "..", "a..b"):
        needy = load_contract(written(tmp_path, f'{LEAST}[needs]\nmodules = ["{name}"]\n'))
        with pytest.raises(ProgramUnavailable, match="which is not installed"):
            needy.require("namespaces")
    with pytest.raises(ProgramUnavailable, match="aioice cannot run in Docker nodes"):
        find_contract("aioice").require("docker")
    find_contract("peer").require("docker")


def test_a_program_that_is_not_installed_is_one_line_except_in_containers(tmp_path: Path) -> None:
    contract = load_contract(written(tmp_path, LEAST.replace('["true"]', '["no-such-program"]', 1)))
    with pytest.raises(
        BadContract, match=r"punch.toml: callee.argv: there is no program 'no-such-program' here"
    ):
        contract.require("namespaces")
    contract.require("docker")
    for name in shipped_programs():
        find_contract(name).require("namespaces")


def test_the_folder_of_a_contract_is_not_in_containers(tmp_path: Path) -> None:
    contract = load_contract(written(tmp_path, LEAST.replace('["true"]', '["{folder}/x.sh"]', 1)))
    with pytest.raises(ProgramUnavailable, match=r"punch.toml: \{folder\} is not in Docker nodes"):
        contract.require("docker")


def test_placeholders_are_replaced_and_other_braces_left_alone() -> None:
    assert filled_in('{"a":{id}} [0-9]{3}', {"id": "elsa"}) == '{"a":elsa} [0-9]{3}'
