import pytest

from runtime.config import ConfigError
from tests.unit.launch.files import launch

NODE = "  a: {module: x}\n"


def refusal(files: dict[str, str] | str, *, host: str = "", **settings: str) -> str:
    with pytest.raises(ConfigError) as caught:
        launch(files, host=host, **settings)
    return str(caught.value)


# -- arguments ------------------------------------------------------------------------------------------------------

ARGS = """\
args:
  n: {type: int, default: 2}
  ratio: {type: float, default: 1}
  name: {type: str, default: x, choices: [x, why]}
  on: {type: bool, default: true}
  wait: {type: duration, default: 1.5s}
  memory: {type: size, default: 1GiB}
nodes:
  a: {module: m, params: {n: "${args.n}", r: "${args.ratio}", s: "${args.name}-${args.on}", w: "${args.wait}"}}
"""


def test_arguments_have_types_and_defaults() -> None:
    node = launch(ARGS).nodes["a"]
    assert node.params == {"n": 2, "r": 1.0, "s": "x-true", "w": "1.5s"}


def test_set_is_read_as_the_type_says() -> None:
    node = launch(ARGS, n="0x10", ratio="3", name="why", on="false", wait="2m").nodes["a"]
    assert node.params == {"n": 16, "r": 3.0, "s": "why-false", "w": "2m"}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"m": "1"}, "--set m: m: a.yaml has no such argument"),
        ({"nn": "1"}, "did you mean 'n'?"),
        ({"n": "x"}, "--set n: n: 'x' is not of type int"),
        ({"n": "1.5"}, "1.5 is not of type int"),
        ({"on": "yes"}, "'yes' is not of type bool"),
        ({"name": "wy"}, "'wy' is not one of x, why; did you mean 'why'?"),
        ({"wait": "5"}, "'5': a duration such as"),
        ({"memory": "5s"}, "'5s': a size such as"),
    ],
)
def test_a_wrong_setting_is_refused(settings: dict[str, str], expected: str) -> None:
    assert expected in refusal(ARGS, **settings)


def test_an_argument_without_default_must_be_given() -> None:
    text = "args: {x: {type: int}}\nnodes:\n" + NODE
    assert refusal(text) == "a.yaml:1: args.x: has no default and was not given (--set x=int)"
    assert launch(text, x="1").arguments == {"x": 1}


def test_a_wrong_default_is_refused_where_it_stands() -> None:
    assert refusal("args:\n  x: {type: duration, default: 5 parsecs}\n").startswith(
        "a.yaml:2: args.x.default: '5 parsecs'"
    )


# -- references -----------------------------------------------------------------------------------------------------


def test_references_reach_environment_and_host() -> None:
    text = """\
hosts: {jetson: {}}
nodes:
  a: {module: m, params: {home: "${env.HOME}/x", gone: "${env.GONE:-}", where: "${host}", literal: "$${args.x}"}}
"""
    expected = {"home": "/home/robot/x", "gone": "", "where": "jetson", "literal": "${args.x}"}
    assert launch(text, host="jetson").nodes["a"].params == expected


def test_what_is_put_in_is_not_read_again() -> None:
    text = 'args: {x: {type: str}}\nnodes: {a: {module: m, params: {p: "<${args.x}>"}}}'
    assert launch(text, x="${env.HOME}").nodes["a"].params == {"p": "<${env.HOME}>"}


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("${args.y}", "there is no 'args.y'; did you mean 'args.x'?"),
        ("${hots}", "there is no 'hots'; did you mean 'host'?"),
        ("${env.NOPE}", "the environment has no NOPE (set it, or write ${env.NOPE:-something})"),
        ("${args.x", "a '${' without its '}'"),
        ("${}", "there is no ''"),
    ],
)
def test_a_reference_to_nothing_is_refused(reference: str, expected: str) -> None:
    text = f"args: {{x: {{type: str, default: a}}}}\nnodes:\n  a:\n    module: m\n    params: {{p: ['{reference}']}}\n"
    message = refusal(text)
    assert message.startswith("a.yaml:5: nodes.a.params.p[0]: ")
    assert expected in message


# -- conditions -----------------------------------------------------------------------------------------------------


def test_when_leaves_nodes_out() -> None:
    text = (
        "args: {on: {type: bool, default: true}}\nnodes:\n  a: {node: n, when: args.on}\n  b: {node: n, when: false}\n"
    )
    assert list(launch(text).nodes) == ["a"]
    found = launch(text, on="false")
    assert (found.nodes, found.absent) == ({}, {"a": "a.yaml:3", "b": "a.yaml:4"})


def test_a_condition_that_cannot_be_decided_is_refused() -> None:
    message = refusal("nodes:\n  a:\n    module: m\n    when: args.on\n")
    assert message.startswith("a.yaml:4: nodes.a.when: 'args.on': there is no 'args.on'")


def test_what_a_condition_leaves_out_is_checked_all_the_same() -> None:
    assert "no such key" in refusal("nodes:\n  a: {module: m, when: false, restrat: always}\n")


# -- includes -------------------------------------------------------------------------------------------------------


def test_an_including_file_overrides_key_by_key() -> None:
    found = launch(
        {
            "a.yaml": "include: [{file: sub/b.yaml}]\nenvironment: {X: 2}\nshutdown: 5s\n"
            "nodes:\n  a: {nice: 5, params: {q: 2}}\n  b: {command: [run]}\n",
            "sub/b.yaml": "include: [{file: c.yaml}]\nenvironment: {X: 1, Y: true}\nshutdown: 1s\n"
            "nodes:\n  a: {module: m, nice: 1, params: {p: 1, q: 1}}\n",
            "sub/c.yaml": "nodes:\n  b: {module: n, threads: 3}\n",
        }
    )
    a, b = found.nodes["a"], found.nodes["b"]
    assert (a.module, a.nice, a.params) == ("m", 5, {"p": 1, "q": 2})
    assert (b.module, b.command, b.threads) == (None, ["run"], 3)
    assert (found.environment, found.shutdown) == ({"X": "2", "Y": "true"}, 5.0)


def test_arguments_are_passed_to_an_included_file_and_no_further() -> None:
    files = {
        "a.yaml": "args: {n: {type: int, default: 7}}\ninclude: [{file: b.yaml, args: {m: '${args.n}'}}]\n",
        "b.yaml": "args: {m: {type: int}, n: {type: int, default: 1}}\n"
        "nodes: {a: {module: x, params: {m: '${args.m}', n: '${args.n}'}}}\n",
    }
    assert launch(files, n="9").nodes["a"].params == {"m": 9, "n": 1}


def test_an_override_can_switch_a_node_off_and_on() -> None:
    files = {"a.yaml": "include: [{file: b.yaml}]\nnodes: {a: {when: false}, b: {when: true}}\n"}
    files["b.yaml"] = "nodes: {a: {module: x}, b: {module: x, when: false}}\n"
    assert list(launch(files).nodes) == ["b"]


def test_an_include_can_depend_on_a_condition() -> None:
    files = {"a.yaml": "include: [{file: missing.yaml, when: false}]\nnodes:\n" + NODE}
    assert list(launch(files).nodes) == ["a"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"a.yaml": "include: [{file: a.yaml}]"},
            "a.yaml:1: include[0].file: a file cannot include itself: a.yaml → a.yaml",
        ),
        (
            {"a.yaml": "include: [{file: b.yaml}]", "b.yaml": "include:\n  - file: ./a.yaml"},
            "b.yaml:2: include[0].file: a file cannot include itself: a.yaml → b.yaml → a.yaml",
        ),
        ({"a.yaml": "include: [{file: gone.yaml}]"}, "a.yaml:1: include[0].file: gone.yaml: cannot be read"),
        (
            {"a.yaml": "include:\n  - {file: b.yaml, args: {m: x}}", "b.yaml": "args: {m: {type: int}}"},
            "a.yaml:2: m: 'x' is not of type int",
        ),
        (
            {"a.yaml": "include:\n  - {file: b.yaml, args: {mm: 1}}", "b.yaml": "args: {m: {type: int, default: 1}}"},
            "a.yaml:2: mm: b.yaml has no such argument; did you mean 'm'?",
        ),
        (
            {
                "a.yaml": "include: [{file: b.yaml}]\nnodes:\n  dialoge: {nice: 1}",
                "b.yaml": "nodes: {dialogue: {module: x}}",
            },
            "a.yaml:3: nodes.dialoge: says neither node nor module nor command, and no included file has a 'dialoge'",
        ),
        (
            {"a.yaml": "include: [{file: b.yaml}]\n", "b.yaml": "nodes:\n  a:\n    module: x\n    nice: 100\n"},
            "b.yaml:4: nodes.a.nice: 100: expected int <= 19",
        ),
    ],
)
def test_a_wrong_include_is_refused_in_the_file_that_is_wrong(files: dict[str, str], expected: str) -> None:
    assert refusal(files).startswith(expected)


def test_includes_that_multiply_are_stopped() -> None:
    files = {f"{i}.yaml": f"include: [{{file: {i + 1}.yaml}}, {{file: {i + 1}.yaml}}]" for i in range(12)}
    files |= {"12.yaml": "nodes:\n" + NODE, "a.yaml": "include: [{file: 0.yaml}]"}
    assert "more than 64 files are included" in refusal(files)


# -- hosts ----------------------------------------------------------------------------------------------------------

HOSTS = {
    "a.yaml": "environment: {X: all}\nhosts:\n  jetson:\n    include: [{file: b.yaml}]\n    environment: {X: jetson}\n"
    "    nodes: {a: {nice: 3}}\n  legion:\n    nodes: {c: {module: z}}\nnodes: {s: {module: shared}}\n",
    "b.yaml": "nodes: {a: {module: x}}",
}


def test_a_host_gets_what_is_for_all_and_what_is_for_it() -> None:
    jetson, legion = launch(HOSTS, host="jetson"), launch(HOSTS, host="legion")
    assert list(jetson.nodes) == ["s", "a"]
    assert (jetson.nodes["a"].nice, jetson.environment) == (3, {"X": "jetson"})
    assert (list(legion.nodes), legion.environment) == (["s", "c"], {"X": "all"})


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("", "a.yaml:2: hosts: this file is for jetson, legion; say which of them this is (--host jetson)"),
        ("jetsn", "a.yaml:2: hosts: there is no host 'jetsn'; did you mean 'jetson'?"),
    ],
)
def test_a_host_must_be_one_of_the_file(host: str, expected: str) -> None:
    assert refusal(HOSTS, host=host).startswith(expected)


def test_a_host_for_a_file_without_hosts_is_refused() -> None:
    assert "this file has no hosts" in refusal("nodes:\n" + NODE, host="jetson")


# -- nodes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ("{}", "says neither node nor module nor command"),
        ("{module: m, command: [c]}", "not module and command"),
        ("{module: m, start: 5}", "nodes.n.start: 5 is not a duration with its unit"),
        ("{module: 'm; rm -rf /'}", "is not a Python module's name"),
        ("{command: []}", "expected array of length >= 1"),
        ("{module: m, after: {hub: redy}}", "'redy' is not one of started, ready; did you mean 'ready'?"),
        ("{module: m, restart: alwys}", "did you mean 'always'?"),
        ("{module: m, backoff: {jitter: 2}}", "nodes.n.backoff.jitter: 2: expected float <= 1.0"),
        ("{module: m, environment: {SAGE_NODE: x}}", "nodes.n.environment.SAGE_NODE: the supervisor sets this itself"),
        ("{module: m, environment: {'A=B': x}}", "'A=B' is not a variable's name"),
        ("{module: m, memory: 5}", "5 is not a size with its unit"),
        ("{module: m, liveness: of}", "did you mean 'off'?"),
    ],
)
def test_a_wrong_node_is_refused(node: str, expected: str) -> None:
    message = refusal(f"nodes:\n  n: {node}\n")
    assert message.startswith("a.yaml:2: nodes.n")
    assert expected in message


def test_a_reserved_variable_is_refused_for_all_nodes_as_well() -> None:
    assert "a.yaml:1: environment.NOTIFY_SOCKET: the supervisor" in refusal(
        "environment: {NOTIFY_SOCKET: x}\nnodes:\n" + NODE
    )


@pytest.mark.parametrize("name", ["Hub", "hub/", "a/b/c", "-x", "a b", "1", ""])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    assert "is not a node's name" in refusal(f"nodes: {{'{name}': {{module: m}}}}")
