from nodes.trust_ledger.features import CLUSTERS, FAMILIES, SESSIONS, Query, family, features


def test_a_question_has_one_feature_of_each_family_whatever_is_known_of_it() -> None:
    for query in (Query(context="novel"), Query(context="stable", cluster=7, words=12, depth=3, session="a")):
        assert sorted(family(name) for name in features(query)) == sorted(FAMILIES)


def test_what_is_not_known_is_a_feature_of_its_own() -> None:
    named = features(Query(context="stable"))
    assert {"cluster=?", "length=?", "session=?"} < set(named)


def test_the_number_of_features_is_bounded_however_many_clusters_and_conversations_come() -> None:
    named = [
        features(Query(context="stable", cluster=number, words=number % 60, session=f"s{number}"))
        for number in range(5000)
    ]
    assert len({name for one in named for name in one if family(name) == "cluster"}) == CLUSTERS
    assert len({name for one in named for name in one if family(name) == "session"}) == SESSIONS


def test_cluster_and_length_are_also_known_together() -> None:
    short, long = (features(Query(context="stable", cluster=4, words=words)) for words in (3, 50))
    assert {name for name in short if family(name) == "shape"} != {name for name in long if family(name) == "shape"}
