//! What must hold of every model crate, whatever the API models say.

use std::collections::BTreeSet;

use apus_schema::{
    Body, Kind, Location, Operation, OperationSchema, Pattern, Schema, ServiceSchema, Structure, Value,
};
use apus_time::Timestamp;

static SERVICES: [&ServiceSchema; 6] = [
    &apus_model_iam::SERVICE,
    &apus_model_lambda::SERVICE,
    &apus_model_s3::SERVICE,
    &apus_model_sns::SERVICE,
    &apus_model_sqs::SERVICE,
    &apus_model_sts::SERVICE,
];

/// Deeper than any shape nests; recursion ends here.
const MAX_DEPTH: usize = 12;

/// How much of a sample is set.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Extent {
    /// What the model requires, and no elements.
    Least,
    /// Every other member.
    Half,
    /// Everything.
    Most,
}

/// A value of a shape. Numbers and texts differ from member to member, by `salt`.
fn sample(schema: &'static Schema, extent: Extent, depth: usize, salt: usize) -> Value {
    let elements = match extent {
        _ if depth == 0 => 0,
        Extent::Least => 0,
        Extent::Half => 1,
        Extent::Most => 2,
    };
    match schema.kind {
        Kind::Boolean => Value::Boolean(salt.is_multiple_of(2)),
        Kind::Integer => Value::Integer(if extent == Extent::Most { i32::MAX.into() } else { salt as i64 }),
        Kind::Long => Value::Integer(if extent == Extent::Most { i64::MIN } else { salt as i64 }),
        Kind::Float | Kind::Double => Value::Double(salt as f64 + 0.5),
        Kind::String => match schema.enumeration.get(salt % (schema.enumeration.len() + 1)) {
            Some(&listed) => listed.into(),
            None => format!("text {salt}").into(),
        },
        Kind::Blob => Value::Blob(format!("bytes {salt}").into()),
        Kind::Stream | Kind::Structure { eventstream: true, .. } => {
            Value::Stream(Body::full(format!("bytes {salt}")))
        }
        Kind::Timestamp(_) => Value::Timestamp(Timestamp::from_micros(salt as i64)),
        Kind::Document => Value::Map(vec![("key".into(), Value::Boolean(true))]),
        Kind::List { member, .. } => {
            Value::List((0..elements).map(|at| sample(member, extent, depth - 1, salt + at)).collect())
        }
        Kind::Map { value, .. } => {
            let entries =
                (0..elements).map(|at| (format!("key {at}"), sample(value, extent, depth - 1, salt + at)));
            Value::Map(entries.collect())
        }
        Kind::Structure { .. } => structure(schema, extent, depth, salt),
    }
}

fn structure(schema: &'static Schema, extent: Extent, depth: usize, salt: usize) -> Value {
    let mut fields = apus_schema::Fields::new(schema);
    for (at, member) in schema.members().iter().enumerate() {
        let wanted = match extent {
            _ if depth == 0 => false,
            Extent::Least => false,
            Extent::Half => (at + salt).is_multiple_of(2),
            Extent::Most => true,
        };
        if member.required || wanted {
            fields.set(at, sample(member.shape, extent, depth.saturating_sub(1), salt + at));
        }
    }
    Value::Structure(fields)
}

fn round_trip<T: Structure + Clone + PartialEq + std::fmt::Debug>(operation: &str) {
    for extent in [Extent::Least, Extent::Half, Extent::Most] {
        for salt in [0, 1, 7] {
            let value = sample(T::SCHEMA, extent, MAX_DEPTH, salt);
            let typed = T::from_value(value.clone())
                .unwrap_or_else(|mismatch| panic!("{operation}, {}: {mismatch}", T::SCHEMA.name));
            assert_eq!(typed.clone(), typed, "{operation}");
            assert_eq!(typed.into_value(), value, "{operation}, {}", T::SCHEMA.name);
        }
    }
}

fn operation<
    O: Operation<Input: Clone + PartialEq + std::fmt::Debug, Output: Clone + PartialEq + std::fmt::Debug>,
>() {
    round_trip::<O::Input>(O::SCHEMA.name);
    round_trip::<O::Output>(O::SCHEMA.name);
    assert!(std::ptr::eq(O::SCHEMA.input, O::Input::SCHEMA), "{}", O::SCHEMA.name);
    assert!(std::ptr::eq(O::SCHEMA.output, O::Output::SCHEMA), "{}", O::SCHEMA.name);
    let listed = O::SCHEMA.service.operation(O::SCHEMA.name).expect("the service lists it");
    assert!(std::ptr::eq(listed, O::SCHEMA), "{}", O::SCHEMA.name);
}

macro_rules! check_each {
    ($($operation:ty,)*) => {{
        $(operation::<$operation>();)*
        [$(stringify!($operation)),*].len()
    }};
}

#[test]
fn every_structure_moves_in_and_out_unchanged() {
    for (service, checked) in SERVICES.iter().zip([
        apus_model_iam::each_operation!(check_each),
        apus_model_lambda::each_operation!(check_each),
        apus_model_s3::each_operation!(check_each),
        apus_model_sns::each_operation!(check_each),
        apus_model_sqs::each_operation!(check_each),
        apus_model_sts::each_operation!(check_each),
    ]) {
        assert_eq!(checked, service.operations.len(), "{}", service.name);
    }
}

/// Every shape that an operation or an error leads to, with the operation that leads there first.
fn shapes(service: &'static ServiceSchema) -> Vec<(&'static str, &'static Schema)> {
    let mut seen: BTreeSet<*const Schema> = BTreeSet::new();
    let mut found = Vec::new();
    for operation in service.operations {
        let errors = operation.errors.iter().map(|error| error.schema);
        let mut open: Vec<&'static Schema> =
            [operation.input, operation.output].into_iter().chain(errors).collect();
        while let Some(schema) = open.pop() {
            if !seen.insert(schema) {
                continue;
            }
            found.push((operation.name, schema));
            match schema.kind {
                Kind::List { member, .. } => open.push(member),
                Kind::Map { key, value, .. } => open.extend([key, value]),
                Kind::Structure { members, .. } => open.extend(members.iter().map(|member| member.shape)),
                _ => {}
            }
        }
    }
    found
}

#[test]
fn operations_are_sorted_and_belong_to_their_service() {
    for service in SERVICES {
        let names: Vec<_> = service.operations.iter().map(|operation| operation.name).collect();
        assert!(names.is_sorted() && !names.is_empty(), "{}", service.name);
        for operation in service.operations {
            assert!(std::ptr::eq(operation.service, service), "{}", operation.name);
            assert!((200..300).contains(&operation.status), "{}", operation.name);
            assert!(operation.uri.starts_with('/'), "{}", operation.name);
        }
    }
}

#[test]
fn uri_labels_and_members_of_the_uri_are_the_same() {
    for operation in SERVICES.iter().flat_map(|service| service.operations) {
        let mut labels: Vec<&str> = operation
            .uri
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split_once('}'))
            .map(|(label, _)| label.trim_end_matches('+'))
            .collect();
        let in_uri = operation.input.members().iter().filter(|member| member.location == Location::Uri);
        let mut members: Vec<&str> = in_uri
            .inspect(|member| assert!(member.required, "{}.{}", operation.name, member.name))
            .map(|member| member.wire_name)
            .collect();
        labels.sort_unstable();
        members.sort_unstable();
        assert_eq!(labels, members, "{}", operation.name);
    }
}

/// The router tells operations apart by method, URI and the parameters and headers that must be there.
#[test]
fn no_two_operations_have_one_binding() {
    for service in SERVICES.iter().filter(|service| service.target_prefix.is_none()) {
        let mut seen = BTreeSet::new();
        for operation in service.operations.iter().filter(|operation| operation.uri != "/") {
            let required: BTreeSet<&str> = operation
                .input
                .members()
                .iter()
                .filter(|member| {
                    member.required && matches!(member.location, Location::Query | Location::Header)
                })
                .map(|member| member.wire_name)
                .collect();
            let fresh = seen.insert((operation.method, operation.uri, required));
            assert!(fresh, "{} {} has the binding of another", service.name, operation.name);
        }
    }
}

#[test]
fn wire_names_are_unique_in_their_place() {
    for (operation, schema) in SERVICES.iter().flat_map(|service| shapes(service)) {
        let mut seen = BTreeSet::new();
        for member in schema.members() {
            let name = match member.location {
                Location::Header | Location::HeaderPrefix => member.wire_name.to_ascii_lowercase(),
                _ => member.wire_name.to_owned(),
            };
            let fresh = seen.insert((format!("{:?}", member.location), name));
            assert!(fresh, "{operation}: {}.{} shares its name on the wire", schema.name, member.name);
        }
        let mut seen = BTreeSet::new();
        for member in schema.members() {
            let fresh = seen.insert(member.query_name.unwrap_or(member.wire_name));
            // The old and the new list of attributes are both `AttributeName` in AWS's own model.
            let known = member.name == "MessageSystemAttributeNames";
            assert!(fresh || known || member.location != Location::Body, "{}.{}", schema.name, member.name);
        }
    }
}

#[test]
fn payloads_are_blobs_texts_documents_or_structures_of_the_body() {
    for (operation, schema) in SERVICES.iter().flat_map(|service| shapes(service)) {
        let Some((_, payload)) = schema.payload() else { continue };
        assert_eq!(payload.location, Location::Body, "{operation}: {}", schema.name);
        let others = schema.members().iter().filter(|member| member.location == Location::Body);
        assert_eq!(others.count(), 1, "{operation}: {} has more in its body than its payload", schema.name);
        assert!(
            matches!(
                payload.shape.kind,
                Kind::Blob | Kind::Stream | Kind::String | Kind::Document | Kind::Structure { .. }
            ),
            "{operation}: {}",
            schema.name
        );
    }
}

#[test]
fn errors_have_the_fault_of_their_status() {
    for error in SERVICES.iter().flat_map(|service| service.operations).flat_map(|operation| operation.errors)
    {
        assert!((400..600).contains(&error.status), "{}", error.name);
        assert!((400..600).contains(&error.query_status), "{}", error.name);
        assert_eq!(error.sender_fault, error.status < 500, "{}", error.name);
        assert!(!error.code.is_empty() && !error.code.contains(' '), "{}", error.name);
    }
}

#[test]
fn bounds_are_in_order_and_patterns_are_supported() {
    for (operation, schema) in SERVICES.iter().flat_map(|service| shapes(service)) {
        if let (Some(min), Some(max)) = (schema.min, schema.max) {
            assert!(min <= max, "{operation}: {}", schema.name);
        }
        if let Some(pattern) = schema.pattern {
            assert!(Pattern::is_supported(pattern.source()), "{operation}: {}: {pattern:?}", schema.name);
        }
    }
}

/// The shape of an operation's input member.
fn input(service: &ServiceSchema, operation: &str, member: &str) -> &'static Schema {
    let operation: &OperationSchema = service.operation(operation).expect("the model has the operation");
    operation.input.member(member).expect("the input has the member").1.shape
}

#[test]
fn patterns_accept_and_refuse_what_aws_does() {
    for (shape, accepted, refused) in [
        (
            input(&apus_model_lambda::SERVICE, "CreateFunction", "FunctionName"),
            &[
                "my-function",
                "arn:aws:lambda:us-west-2:123456789012:function:my-function",
                "my_function:PROD",
            ][..],
            &["bad name!", "", "my-function:"][..],
        ),
        (
            input(&apus_model_lambda::SERVICE, "CreateFunction", "Role"),
            &["arn:aws:iam::123456789012:role/lambda-role", "arn:aws:iam::123456789012:role/a/b"],
            &["lambda-role", "arn:aws:iam::1:role/x"],
        ),
        (
            input(&apus_model_iam::SERVICE, "CreateRole", "RoleName"),
            &["Test-Role", "a+=,.@-_9"],
            &["a role", "rôle", "a/b"],
        ),
        (
            input(&apus_model_iam::SERVICE, "CreateRole", "Path"),
            &["/", "/division_abc/subdivision_xyz/"],
            &["division", "/a", "/a b/"],
        ),
        (
            input(&apus_model_sts::SERVICE, "AssumeRole", "RoleSessionName"),
            &["Bob", "user@example.com"],
            &["two words", "a/b"],
        ),
    ] {
        let pattern = shape.pattern.expect("it has a pattern");
        for text in accepted {
            assert!(pattern.matches(text), "{} refuses {text:?}", shape.name);
        }
        for text in refused {
            assert!(!pattern.matches(text), "{} accepts {text:?}", shape.name);
        }
    }
}

#[test]
fn sqs_speaks_its_older_protocol_too() {
    let service = &apus_model_sqs::SERVICE;
    for (operation, member, name) in [
        ("SendMessage", "MessageAttributes", Some("MessageAttribute")),
        ("SendMessage", "MessageBody", None),
        ("SendMessageBatch", "Entries", Some("SendMessageBatchRequestEntry")),
        ("ReceiveMessage", "AttributeNames", Some("AttributeName")),
        ("CreateQueue", "Attributes", Some("Attribute")),
        ("CreateQueue", "tags", Some("Tag")),
        ("UntagQueue", "TagKeys", Some("TagKey")),
    ] {
        let schema = service.operation(operation).expect("the model has it").input;
        let (_, found) = schema.member(member).expect("the input has the member");
        assert_eq!(found.query_name, name, "{operation}.{member}");
        assert_eq!(found.wire_name, member, "{operation}.{member}: JSON keeps today's name");
    }
    let Kind::Map { query_elements, .. } = input(service, "SendMessage", "MessageAttributes").kind else {
        panic!("attributes are a map")
    };
    assert_eq!(query_elements, Some(("Name", "Value")));
    let gone = &apus_model_sqs::errors::QUEUE_DOES_NOT_EXIST;
    assert_eq!((gone.name, gone.code), ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"));
    let over = &apus_model_sqs::errors::OVER_LIMIT;
    assert_eq!((over.code, over.status, over.query_status), ("OverLimit", 400, 403));
    let receive = service.operation("ReceiveMessage").expect("the model has it");
    assert_eq!(receive.result_wrapper, Some("ReceiveMessageResult"));
}

#[test]
fn what_is_sensitive_is_not_shown() {
    let credentials = apus_model_sts::Credentials {
        access_key_id: "AKIA".into(),
        secret_access_key: "hush".into(),
        ..Default::default()
    };
    let shown = format!("{credentials:?}");
    assert!(shown.contains("AKIA") && !shown.contains("hush"), "{shown}");
    let variables =
        apus_model_lambda::Environment { variables: Some([("KEY".into(), "hush".into())].into()) };
    let shown = format!("{variables:?}");
    assert!(!shown.contains("hush") && !shown.contains("KEY"), "{shown}");
}
