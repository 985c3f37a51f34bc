//! What each part of the platform may do for an account by itself, as one table.
//!
//! A part that is not here may do nothing. What a role lets a service do is decided by its trust policy, what a
//! queue or a function lets it do by that resource's policy: neither belongs here.

/// The parts, under the names that trust policies use, and their actions.
const MAY: &[(&str, &[&str])] = &[
    // Shows a function's role before it is kept, and reads it when an environment starts.
    ("lambda.amazonaws.com", &["iam:GetRole"]),
    // Reads the trust policies that `AssumeRole` is decided by.
    ("sts.amazonaws.com", &["iam:GetRole"]),
];

/// Whether the part of that name may do that.
pub(crate) fn may(service: &str, action: &str) -> bool {
    MAY.iter().any(|(name, actions)| *name == service && actions.contains(&action))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_the_table_is_denied() {
        for (service, action, allowed) in [
            ("sts.amazonaws.com", "iam:GetRole", true),
            ("sts.amazonaws.com", "iam:DeleteRole", false),
            ("lambda.amazonaws.com", "sqs:DeleteQueue", false),
            ("s3.amazonaws.com", "iam:GetRole", false),
            ("", "", false),
        ] {
            assert_eq!(may(service, action), allowed, "{service} {action}");
        }
    }
}
