//! Facts from rows.

use pghaul_core::TableName;
use pghaul_core::catalog::{
    Column, Constraint, ConstraintKind, Detachment, EventTrigger, Extension, Generated, Index, Membership,
    Partition, Persistence, Relation, RelationKind, ReplicaIdentity, RowSecurity, Rule, Schema, Sequence,
    SequenceOwner, Size, Text, Trigger, TriggerState, Type, TypeKind,
};
use std::collections::HashSet;
use tokio_postgres::{Error, Row};

/// Texts that are kept once, however often they come.
#[derive(Default)]
pub(super) struct Texts(HashSet<Text>);

impl Texts {
    fn share(&mut self, text: &str) -> Text {
        if let Some(known) = self.0.get(text) {
            return Text::clone(known);
        }
        let text = Text::from(text);
        self.0.insert(Text::clone(&text));
        text
    }
}

/// Something that belongs to a relation.
pub(super) struct Member<T> {
    /// The relation's oid.
    pub(super) of: u32,
    pub(super) value: T,
}

/// What a relation inherits from.
pub(super) enum Parent {
    Partitioned(Partition),
    Inherited(u32),
}

/// A relation; none where it was dropped meanwhile.
pub(super) fn relation(row: &Row, texts: &mut Texts) -> Result<Option<Relation>, Error> {
    let Some(readable) = row.try_get::<_, Option<bool>>(7)? else {
        return Ok(None);
    };
    let kind = match row.try_get(3)? {
        "p" => RelationKind::PartitionedTable,
        "v" => RelationKind::View,
        "m" => RelationKind::MaterializedView,
        "f" => RelationKind::ForeignTable,
        _ => RelationKind::Table,
    };
    let name = TableName::new(row.try_get::<_, &str>(1)?, row.try_get::<_, &str>(2)?);
    let size = row.try_get::<_, Option<i64>>(15)?;
    let blocks = row.try_get::<_, Option<i64>>(16)?;
    Ok(Some(Relation {
        kind,
        persistence: persistence(row.try_get(4)?),
        owner: texts.share(row.try_get(5)?),
        owned: row.try_get(6)?,
        readable,
        access_method: shared(row.try_get(8)?, texts),
        options: row
            .try_get::<_, Option<Vec<&str>>>(9)?
            .unwrap_or_default()
            .into_iter()
            .map(|option| texts.share(option))
            .collect(),
        row_security: match (row.try_get(10)?, row.try_get(11)?) {
            (true, true) => RowSecurity::Forced,
            (true, false) => RowSecurity::Enabled,
            (false, _) => RowSecurity::Disabled,
        },
        replica_identity: match row.try_get(12)? {
            "n" => ReplicaIdentity::Nothing,
            "f" => ReplicaIdentity::Full,
            "i" => ReplicaIdentity::Index,
            _ => ReplicaIdentity::Default,
        },
        file_node: row.try_get::<_, Option<u32>>(13)?.unwrap_or(0),
        populated: row.try_get(14)?,
        size: size.zip(blocks).map(|(bytes, blocks)| Size {
            bytes: bytes.unsigned_abs(),
            blocks: blocks.unsigned_abs(),
        }),
        definition: own(row.try_get(17)?),
        extension: membership(row.try_get(18)?, row.try_get(19)?, texts),
        ..Relation::new(row.try_get(0)?, name)
    }))
}

pub(super) fn column(row: &Row, texts: &mut Texts) -> Result<Member<Column>, Error> {
    Ok(Member {
        of: row.try_get(0)?,
        value: Column {
            name: texts.share(row.try_get(1)?),
            number: row.try_get(2)?,
            type_oid: row.try_get(3)?,
            type_name: texts.share(row.try_get(4)?),
            collation: shared(row.try_get(5)?, texts),
            not_null: row.try_get(6)?,
            generated: match row.try_get(7)? {
                "s" => Generated::Stored,
                "v" => Generated::Virtual,
                _ => Generated::No,
            },
            identity: letter(row.try_get(8)?),
            storage: letter(row.try_get(9)?).unwrap_or('p'),
            expression: shared(row.try_get(10)?, texts),
        },
    })
}

pub(super) fn parent(row: &Row, _: &mut Texts) -> Result<Member<Parent>, Error> {
    let parent = row.try_get(1)?;
    let value = if row.try_get(2)? {
        Parent::Partitioned(Partition {
            parent,
            root: None,
            detachment: match row.try_get(3)? {
                true => Detachment::Pending,
                false => Detachment::None,
            },
            bound: own(row.try_get(4)?),
        })
    } else {
        Parent::Inherited(parent)
    };
    Ok(Member {
        of: row.try_get(0)?,
        value,
    })
}

pub(super) fn index(row: &Row, _: &mut Texts) -> Result<Member<Index>, Error> {
    Ok(Member {
        of: row.try_get(0)?,
        value: Index {
            name: Text::from(row.try_get::<_, &str>(1)?),
            primary: row.try_get(2)?,
            unique: row.try_get(3)?,
            replica_identity: row.try_get(4)?,
            immediate: row.try_get(5)?,
            valid: row.try_get(6)?,
            definition: own(row.try_get(7)?),
        },
    })
}

pub(super) fn constraint(row: &Row, _: &mut Texts) -> Result<Member<Constraint>, Error> {
    let kind = match row.try_get(2)? {
        "f" => ConstraintKind::ForeignKey {
            references: row.try_get(3)?,
        },
        "p" => ConstraintKind::PrimaryKey,
        "u" => ConstraintKind::Unique,
        "x" => ConstraintKind::Exclusion,
        "n" => ConstraintKind::NotNull,
        _ => ConstraintKind::Check,
    };
    Ok(Member {
        of: row.try_get(0)?,
        value: Constraint {
            name: Text::from(row.try_get::<_, &str>(1)?),
            kind,
            of_parent: row.try_get(4)?,
            validated: row.try_get(5)?,
            enforced: row.try_get(6)?,
            deferrable: row.try_get(7)?,
            deferred: row.try_get(8)?,
            definition: own(row.try_get(9)?),
        },
    })
}

pub(super) fn trigger(row: &Row, texts: &mut Texts) -> Result<Member<Trigger>, Error> {
    Ok(Member {
        of: row.try_get(0)?,
        value: Trigger {
            name: texts.share(row.try_get(1)?),
            state: state(row.try_get(2)?),
            on_truncate: row.try_get(3)?,
            of_extension: row.try_get(4)?,
            definition: own(row.try_get(5)?),
        },
    })
}

pub(super) fn rule(row: &Row, texts: &mut Texts) -> Result<Member<Rule>, Error> {
    Ok(Member {
        of: row.try_get(0)?,
        value: Rule {
            name: texts.share(row.try_get(1)?),
            state: state(row.try_get(2)?),
            definition: own(row.try_get(3)?),
        },
    })
}

/// A sequence; none where it was dropped meanwhile.
pub(super) fn sequence(row: &Row, texts: &mut Texts) -> Result<Option<Sequence>, Error> {
    let Some(readable) = row.try_get::<_, Option<bool>>(4)? else {
        return Ok(None);
    };
    let belongs_to = match (row.try_get(6)?, row.try_get(7)?, row.try_get(8)?) {
        (Some(table), Some(column), Some(identity)) => Some(SequenceOwner {
            table,
            column,
            identity,
        }),
        _ => None,
    };
    Ok(Some(Sequence {
        oid: row.try_get(0)?,
        name: TableName::new(row.try_get::<_, &str>(1)?, row.try_get::<_, &str>(2)?),
        owner: texts.share(row.try_get(3)?),
        readable,
        persistence: persistence(row.try_get(5)?),
        belongs_to,
        extension: membership(row.try_get(9)?, row.try_get(10)?, texts),
        data_type: texts.share(row.try_get(11)?),
        start: row.try_get(12)?,
        increment: row.try_get(13)?,
        minimum: row.try_get(14)?,
        maximum: row.try_get(15)?,
        cache: row.try_get(16)?,
        cycles: row.try_get(17)?,
    }))
}

pub(super) fn of_type(row: &Row, texts: &mut Texts) -> Result<Type, Error> {
    let kind = match row.try_get(3)? {
        "c" => TypeKind::Composite,
        "d" => TypeKind::Domain,
        "e" => TypeKind::Enum,
        "p" => TypeKind::Pseudo,
        "r" => TypeKind::Range,
        "m" => TypeKind::Multirange,
        _ => TypeKind::Base,
    };
    Ok(Type {
        oid: row.try_get(0)?,
        name: Text::from(row.try_get::<_, &str>(1)?),
        plain_name: Text::from(row.try_get::<_, &str>(2)?),
        kind,
        built_in: row.try_get(4)?,
        parts: row.try_get(5)?,
        array: row.try_get(6)?,
        has_binary_form: row.try_get(7)?,
        comparable: row.try_get(8)?,
        extension: shared(row.try_get(9)?, texts),
    })
}

/// A schema; none where it was dropped meanwhile.
pub(super) fn schema(row: &Row, texts: &mut Texts) -> Result<Option<Schema>, Error> {
    let Some(usable) = row.try_get(2)? else {
        return Ok(None);
    };
    Ok(Some(Schema {
        name: texts.share(row.try_get(0)?),
        owner: texts.share(row.try_get(1)?),
        usable,
    }))
}

pub(super) fn extension(row: &Row, texts: &mut Texts) -> Result<Extension, Error> {
    Ok(Extension {
        name: texts.share(row.try_get(0)?),
        version: texts.share(row.try_get(1)?),
        schema: texts.share(row.try_get(2)?),
    })
}

pub(super) fn event_trigger(row: &Row, texts: &mut Texts) -> Result<EventTrigger, Error> {
    let tags: Vec<&str> = row.try_get(4)?;
    Ok(EventTrigger {
        name: texts.share(row.try_get(0)?),
        event: texts.share(row.try_get(1)?),
        state: state(row.try_get(2)?),
        function: texts.share(row.try_get(3)?),
        tags: tags.into_iter().map(|tag| texts.share(tag)).collect(),
    })
}

fn membership(extension: Option<&str>, configuration: Option<&str>, texts: &mut Texts) -> Option<Membership> {
    Some(Membership {
        extension: texts.share(extension?),
        configuration: own(configuration),
    })
}

fn shared(text: Option<&str>, texts: &mut Texts) -> Option<Text> {
    text.map(|text| texts.share(text))
}

fn own(text: Option<&str>) -> Option<Text> {
    text.map(Text::from)
}

fn letter(text: &str) -> Option<char> {
    text.chars().next()
}

fn persistence(unlogged: bool) -> Persistence {
    match unlogged {
        true => Persistence::Unlogged,
        false => Persistence::Permanent,
    }
}

fn state(letter: &str) -> TriggerState {
    match letter {
        "D" => TriggerState::Disabled,
        "A" => TriggerState::Always,
        "R" => TriggerState::Replica,
        _ => TriggerState::Origin,
    }
}
