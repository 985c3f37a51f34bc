//! The operations on roles and their inline policies.

mod common;

use apus_model_iam::{
    CreateRole, DeleteRole, DeleteRolePolicy, DeleteRolePolicyRequest, DeleteRoleRequest, GetRole,
    GetRolePolicy, GetRolePolicyRequest, GetRoleRequest, ListRolePolicies, ListRolePoliciesRequest,
    ListRoles, ListRolesRequest, Tag, UpdateAssumeRolePolicy, UpdateAssumeRolePolicyRequest,
};
use common::{Bench, TRUST, create, refused, root, run};

const ALLOW: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sqs:*","Resource":"*"}}"#;

fn get(name: &str) -> GetRoleRequest {
    GetRoleRequest { role_name: name.into() }
}

fn tag(key: &str, value: &str) -> Tag {
    Tag { key: key.into(), value: value.into() }
}

#[test]
fn a_role_is_kept_as_it_was_given() {
    run(async |bench: Bench| {
        let input = apus_model_iam::CreateRoleRequest {
            path: Some("/teams/a/".into()),
            description: Some("works".into()),
            max_session_duration: Some(7_200),
            tags: Some(vec![tag("team", "a")]),
            ..create("Worker")
        };
        let made = bench.call::<CreateRole>(input).await.expect("made").role;
        let role = bench.call::<GetRole>(get("Worker")).await.expect("found").role;
        assert_eq!(made, role);
        assert_eq!(role.arn, "arn:aws:iam::000000000000:role/teams/a/Worker");
        assert_eq!((role.path.as_str(), role.role_name.as_str()), ("/teams/a/", "Worker"));
        assert!(role.role_id.starts_with("AROA") && role.role_id.len() == 21, "{}", role.role_id);
        assert_eq!(role.description.as_deref(), Some("works"));
        assert_eq!(role.max_session_duration, Some(7_200));
        assert_eq!(role.create_date.subsec_micros(), 0, "whole seconds");
        assert_eq!(role.tags, Some(vec![tag("team", "a")]));
        let document = role.assume_role_policy_document.expect("a trust policy");
        assert!(document.starts_with("%7B%22Version%22%3A%222012-10-17%22%2C"), "{document}");
        // Names differ in more than case, and other accounts have their own.
        assert_eq!(bench.call::<GetRole>(get("WORKER")).await.expect("found").role.role_name, "Worker");
        let other = bench.call_as::<GetRole>(root("123456789012"), get("Worker")).await;
        assert_eq!(refused(other), "NoSuchEntityException: The role with name Worker cannot be found.");
        let defaults = bench.call::<CreateRole>(create("plain")).await.expect("made").role;
        assert_eq!((defaults.path.as_str(), defaults.max_session_duration), ("/", Some(3_600)));
        assert_ne!(defaults.role_id, role.role_id);
    });
}

#[test]
fn what_iam_refuses_it_refuses_in_its_own_words() {
    run(async |bench: Bench| {
        bench.role("worker", &[("one", ALLOW)]).await;
        let again = bench.call::<CreateRole>(create("Worker")).await;
        assert_eq!(refused(again), "EntityAlreadyExistsException: Role with name Worker already exists.");
        let missing = "NoSuchEntityException: The role with name nobody cannot be found.";
        assert_eq!(refused(bench.call::<GetRole>(get("nobody")).await), missing);
        let delete = |name: &str| DeleteRoleRequest { role_name: name.into() };
        assert_eq!(refused(bench.call::<DeleteRole>(delete("nobody")).await), missing);
        assert_eq!(refused(bench.put("nobody", "one", ALLOW).await), missing);
        let conflict = "DeleteConflictException: Cannot delete entity, must delete policies first.";
        assert_eq!(refused(bench.call::<DeleteRole>(delete("worker")).await), conflict);
        let no_policy = "NoSuchEntityException: The role policy with name two cannot be found.";
        let wanted = GetRolePolicyRequest { role_name: "worker".into(), policy_name: "two".into() };
        assert_eq!(refused(bench.call::<GetRolePolicy>(wanted).await), no_policy);
        let unwanted =
            |policy: &str| DeleteRolePolicyRequest { role_name: "worker".into(), policy_name: policy.into() };
        assert_eq!(refused(bench.call::<DeleteRolePolicy>(unwanted("two")).await), no_policy);
        bench.call::<DeleteRolePolicy>(unwanted("one")).await.expect("deleted");
        bench.call::<DeleteRole>(delete("worker")).await.expect("deleted");
        assert!(bench.call::<GetRole>(get("worker")).await.is_err());

        let mut input = create("bounded");
        input.permissions_boundary = Some("arn:aws:iam::aws:policy/ReadOnlyAccess".into());
        let bounded = bench.call::<CreateRole>(input).await;
        assert_eq!(
            refused(bounded),
            "NotSupported: Apus does not support CreateRole with PermissionsBoundary yet."
        );
        let mut input = create("tagged");
        input.tags = Some(vec![tag("a", "1"), tag("A", "2")]);
        let tagged = refused(bench.call::<CreateRole>(input).await);
        assert!(tagged.starts_with("InvalidInputException: Duplicate tag keys found."), "{tagged}");
    });
}

#[test]
fn documents_have_their_bounds_and_must_be_policies() {
    run(async |bench: Bench| {
        bench.role("worker", &[]).await;
        let long = |length: usize| {
            let sid = "s".repeat(length);
            format!(
                r#"{{"Version":"2012-10-17","Statement":{{"Sid":"{sid}","Effect":"Allow","Action":"sqs:*","Resource":"*"}}}}"#
            )
        };
        let size = long(0).len();
        bench.put("worker", "big", &long(10_240 - size)).await.expect("as large as may be");
        assert_eq!(
            refused(bench.put("worker", "more", ALLOW).await),
            "LimitExceededException: Maximum policy size of 10240 bytes exceeded for role worker"
        );
        let update = |document: &str| UpdateAssumeRolePolicyRequest {
            role_name: "worker".into(),
            policy_document: document.into(),
        };
        let large = TRUST.replace("\"Effect\"", &format!("\"Sid\":\"{}\",\"Effect\"", "s".repeat(2_048)));
        assert_eq!(
            refused(bench.call::<UpdateAssumeRolePolicy>(update(&large)).await),
            "LimitExceededException: Cannot exceed quota for ACLSizePerRole: 2048"
        );
        for document in ["{", "[]", r#"{"Version":"2012-10-17","Statement":[{"Effect":"Maybe"}]}"#] {
            for answer in [
                refused(bench.put("worker", "bad", document).await),
                refused(bench.call::<UpdateAssumeRolePolicy>(update(document)).await),
                refused(
                    bench
                        .call::<CreateRole>(apus_model_iam::CreateRoleRequest {
                            assume_role_policy_document: document.into(),
                            ..create("other")
                        })
                        .await,
                ),
            ] {
                assert!(answer.starts_with("MalformedPolicyDocumentException: "), "{document}: {answer}");
            }
        }
        // A trust policy names principals and no resources, an inline policy the other way round.
        assert!(refused(bench.put("worker", "bad", TRUST).await).starts_with("MalformedPolicyDocument"));
        let swapped = refused(bench.call::<UpdateAssumeRolePolicy>(update(ALLOW)).await);
        assert!(swapped.starts_with("MalformedPolicyDocument"), "{swapped}");
    });
}

#[test]
fn inline_policies_are_read_back_and_replaced() {
    run(async |bench: Bench| {
        bench.role("worker", &[("b", ALLOW), ("a", ALLOW)]).await;
        let list = ListRolePoliciesRequest { role_name: "worker".into(), marker: None, max_items: Some(1) };
        let first = bench.call::<ListRolePolicies>(list.clone()).await.expect("a page");
        assert_eq!((first.policy_names, first.is_truncated), (vec!["a".to_owned()], Some(true)));
        let rest = ListRolePoliciesRequest { marker: first.marker, ..list };
        let rest = bench.call::<ListRolePolicies>(rest).await.expect("a page");
        assert_eq!((rest.policy_names, rest.is_truncated), (vec!["b".to_owned()], Some(false)));
        assert_eq!(rest.marker, None);
        bench.put("worker", "a", &ALLOW.replace("sqs:*", "sqs:SendMessage")).await.expect("replaced");
        let wanted = GetRolePolicyRequest { role_name: "worker".into(), policy_name: "a".into() };
        let policy = bench.call::<GetRolePolicy>(wanted).await.expect("found");
        assert!(policy.policy_document.contains("sqs%3ASendMessage"), "{}", policy.policy_document);
    });
}

#[test]
fn roles_are_listed_by_name_below_a_path_page_by_page() {
    run(async |bench: Bench| {
        for (name, path) in [("c", "/x/"), ("a", "/x/y/"), ("b", "/"), ("D", "/x/")] {
            let input = apus_model_iam::CreateRoleRequest { path: Some(path.into()), ..create(name) };
            bench.call::<CreateRole>(input).await.expect("made");
        }
        let names = async |prefix: Option<&str>, max_items| {
            let (mut names, mut marker) = (Vec::new(), None);
            loop {
                let input = ListRolesRequest {
                    path_prefix: prefix.map(Into::into),
                    marker: marker.clone(),
                    max_items,
                };
                let page = bench.call::<ListRoles>(input).await.expect("a page");
                names.extend(page.roles.into_iter().map(|role| role.role_name));
                marker = page.marker;
                assert_eq!(page.is_truncated, Some(marker.is_some()));
                if marker.is_none() {
                    return names.join(" ");
                }
            }
        };
        assert_eq!(names(None, None).await, "a b c D");
        assert_eq!(names(None, Some(3)).await, "a b c D");
        assert_eq!(names(Some("/x/"), Some(1)).await, "a c D");
        assert_eq!(names(Some("/x/y/"), None).await, "a");
        let input = ListRolesRequest { path_prefix: None, marker: Some("?".into()), max_items: None };
        assert_eq!(refused(bench.call::<ListRoles>(input).await), "Validation: Invalid Marker.");
    });
}
