//! What a selection makes of a small graph of objects: every kind of dependency once.

#![expect(clippy::unwrap_used, reason = "tests: a panic is the report")]

use pghaul_core::selection::{
    Dependency, DependencyKind, Graph, Object, ObjectId, ObjectKind, ObjectSelection, ProviderObjects, Rule,
    SelectedObjects, resolve,
};

use DependencyKind::{Auto, Internal, Member, Normal};
use ObjectKind as K;

/// The objects by their oids: kind, schema and name.
const OBJECTS: &[(u32, ObjectKind, &str, &str)] = &[
    (1, K::Schema, "", "app"),
    (2, K::Schema, "", "auth"),
    (10, K::Table, "app", "orders"),
    (11, K::Table, "auth", "users"),
    (12, K::View, "app", "seen"),
    (13, K::PartitionedTable, "app", "tree"),
    (14, K::Table, "app", "leaf"),
    (15, K::Sequence, "app", "orders_id"),
    (16, K::Table, "app", "shapes"),
    (20, K::ForeignKey, "", "orders_user"),
    (21, K::Inline, "", "default of shapes"),
    (22, K::Other, "", "rule of seen"),
    (23, K::Trigger, "", "touch"),
    (30, K::Extension, "", "geo"),
    (31, K::Other, "app", "shape"),
    (32, K::Other, "auth", "uid"),
];

/// Who needs whom, and how.
const DEPENDENCIES: &[(u32, u32, DependencyKind)] = &[
    (10, 1, Normal),
    (11, 2, Normal),
    (12, 1, Normal),
    (13, 1, Normal),
    (14, 1, Normal),
    (14, 13, Auto),
    (15, 10, Auto),
    (16, 1, Normal),
    (20, 10, Auto),
    (20, 11, Normal),
    (21, 16, Auto),
    (21, 31, Normal),
    (22, 12, Internal),
    (22, 11, Normal),
    (23, 10, Auto),
    (23, 32, Normal),
    (31, 30, Member),
    (32, 2, Normal),
];

fn id(oid: u32) -> ObjectId {
    // Tables are in pg_class; for the others any catalog does.
    let catalog = if (10..20).contains(&oid) { 1259 } else { 1 };
    ObjectId { catalog, oid }
}

fn selected(rules: &[(Rule, &str)], provider: Option<&ProviderObjects>) -> SelectedObjects {
    let objects = OBJECTS.iter().map(|(oid, kind, schema, name)| Object {
        id: id(*oid),
        kind: *kind,
        schema: (!schema.is_empty()).then(|| (*schema).to_owned()),
        name: (*name).to_owned(),
        table: None,
        label: (*name).to_owned(),
    });
    let dependencies = DEPENDENCIES.iter().map(|(dependent, needed, kind)| Dependency {
        dependent: id(*dependent),
        needed: id(*needed),
        kind: *kind,
    });
    let graph = Graph::new(objects.collect(), dependencies);
    let mut selection = ObjectSelection::default();
    for (rule, pattern) in rules {
        selection.add(*rule, (*pattern).to_owned());
    }
    resolve(&graph, &selection, provider, &"shop".into()).unwrap()
}

fn left_out(selected: &SelectedObjects) -> String {
    let out = OBJECTS.iter().filter(|(oid, ..)| !selected.holds(id(*oid)));
    out.map(|(_, _, _, name)| *name).collect::<Vec<_>>().join(", ")
}

fn listed(selected: &SelectedObjects) -> Vec<String> {
    let listed = selected.left_out.iter();
    listed
        .map(|listed| format!("{}: {}", listed.object, listed.why))
        .collect()
}

#[test]
fn what_needs_an_excluded_object_is_left_out_and_listed() {
    let users = selected(&[(Rule::ExcludeTable, "auth.users")], None);
    assert_eq!(left_out(&users), "users, seen, orders_user, rule of seen");
    assert_eq!(
        listed(&users),
        [
            "orders_user: it needs users, which is left out",
            "seen: it needs users, which is left out",
            "users: --exclude-table auth.users",
        ]
    );
}

#[test]
fn a_table_can_not_be_without_its_defaults() {
    let geo = selected(&[(Rule::ExcludeExtension, "geo")], None);
    assert_eq!(left_out(&geo), "shapes, default of shapes, geo, shape");
    assert_eq!(
        listed(&geo),
        [
            "geo: --exclude-extension geo",
            "shapes: it needs geo, which is left out"
        ]
    );
}

#[test]
fn a_table_brings_what_it_needs_but_for_what_it_references() {
    let orders = selected(&[(Rule::Table, "orders")], None);
    assert_eq!(
        left_out(&orders),
        "users, seen, tree, leaf, shapes, orders_user, default of shapes, rule of seen, geo, shape"
    );
    assert_eq!(
        listed(&orders),
        ["orders_user: it needs users, which is not selected"]
    );
    assert_eq!(orders.not_named, 3, "a partition is no table of its own");
}

#[test]
fn a_partition_tree_is_one() {
    let leaf = selected(&[(Rule::Table, "leaf")], None);
    assert!(leaf.holds(id(13)) && leaf.holds(id(14)) && !leaf.holds(id(10)));
    let tree = selected(&[(Rule::ExcludeTable, "tree")], None);
    assert_eq!(left_out(&tree), "tree, leaf");
}

#[test]
fn a_sequence_goes_where_its_table_goes() {
    let all = selected(
        &[(Rule::ExcludeTable, "orders_*"), (Rule::ExcludeTable, "nothing")],
        None,
    );
    assert_eq!(left_out(&all), "");
    assert_eq!(all.unmatched.len(), 2);
}

#[test]
fn what_users_need_of_a_provider_comes_along() {
    let provider = ProviderObjects {
        title: "Host".to_owned(),
        schemas: vec!["auth".to_owned()],
        extensions: vec!["geo".to_owned()],
        ..ProviderObjects::default()
    };
    let all = selected(&[], Some(&provider));
    assert_eq!(
        left_out(&all),
        "",
        "the key needs the table, the trigger the function, the default the type"
    );
    let fewer = selected(
        &[
            (Rule::ExcludeTable, "app.orders"),
            (Rule::ExcludeTable, "app.seen"),
            (Rule::ExcludeTable, "app.shapes"),
        ],
        Some(&provider),
    );
    let belongs: Vec<String> = listed(&fewer)
        .into_iter()
        .filter(|line| line.contains("Host"))
        .collect();
    assert_eq!(belongs, ["auth: belongs to Host", "geo: belongs to Host"]);
}
