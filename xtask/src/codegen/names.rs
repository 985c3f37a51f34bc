//! AWS's names in Rust's spelling.

/// Words that cannot name a member, a function or a type as they are.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "trait",
    "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// `FunctionName` and `functionName` are `function_name`, `SSEKMSKeyId` is `ssekms_key_id`, `MD5OfBody` is
/// `md5_of_body`; keywords are raw.
pub(crate) fn snake(name: &str) -> String {
    let snake = words(name).join("_");
    match snake.as_str() {
        "self" | "super" | "crate" => format!("{snake}_"),
        keyword if KEYWORDS.contains(&keyword) => format!("r#{keyword}"),
        _ => snake,
    }
}

/// `QueueDoesNotExist` is `QUEUE_DOES_NOT_EXIST`.
pub(crate) fn screaming(name: &str) -> String {
    let name = words(name).join("_").to_uppercase();
    if name.starts_with(|first: char| first.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// `policyDescriptorType` is `PolicyDescriptorType`: a shape's name needs only its first letter changed.
pub(crate) fn shape(name: &str) -> String {
    let mut letters = name.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '_');
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// The variant of an enumeration for a value: `python3.11` is `Python311`, `s3:ObjectCreated:*` is
/// `S3ObjectCreatedAll`, `KEYS_ONLY` is `KeysOnly`.
pub(crate) fn variant(value: &str) -> String {
    let value = value.replace('*', " All ");
    let name: String = words(&value).iter().map(|word| capitalised(word)).collect();
    match name.chars().next() {
        None => "Empty".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("V{name}"),
        _ if matches!(name.as_str(), "Self" | "Unknown") => format!("{name}Value"),
        _ => name,
    }
}

fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
    first.to_uppercase() + rest
}

/// The words of a name, in lower case. A word ends at a separator, before a capital that follows a small
/// letter, and before the last capital of a run that small letters follow. Digits belong to the word before them.
fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (at, &letter) in letters.iter().enumerate() {
        if !letter.is_alphanumeric() {
            words.push(String::new());
            continue;
        }
        let before = at.checked_sub(1).map_or(' ', |at| letters[at]);
        let after = letters.get(at + 1).copied().unwrap_or(' ');
        // `ARNs` and `IDs` are one word.
        let plural = after == 's' && !letters.get(at + 2).is_some_and(|next| next.is_lowercase());
        let starts_word = letter.is_uppercase()
            && (before.is_lowercase() || (before.is_alphanumeric() && after.is_lowercase() && !plural));
        if starts_word {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_snake_case() {
        for (name, expected) in [
            ("QueueUrl", "queue_url"),
            ("queueUrls", "queue_urls"),
            ("MD5OfMessageBody", "md5_of_message_body"),
            ("SSECustomerKeyMD5", "sse_customer_key_md5"),
            ("SSEKMSKeyId", "ssekms_key_id"),
            ("ChecksumCRC32C", "checksum_crc32c"),
            ("ETag", "e_tag"),
            ("ID", "id"),
            ("SubnetIDs", "subnet_ids"),
            ("PolicyARNs", "policy_arns"),
            ("OpenIDConnectProviderArn", "open_id_connect_provider_arn"),
            ("S3Key", "s3_key"),
            ("EC2ErrorCode", "ec2_error_code"),
            ("Ipv6AllowedForDualStack", "ipv6_allowed_for_dual_stack"),
            ("Type", "r#type"),
            ("Self", "self_"),
        ] {
            assert_eq!(snake(name), expected, "{name}");
        }
    }

    #[test]
    fn types_keep_awss_spelling() {
        assert_eq!(shape("policyDescriptorType"), "PolicyDescriptorType");
        assert_eq!(shape("SSEKMS"), "SSEKMS");
        assert_eq!(screaming("policyDescriptorType"), "POLICY_DESCRIPTOR_TYPE");
        assert_eq!(screaming("200Status"), "_200_STATUS");
    }

    #[test]
    fn variants_are_camel_case() {
        for (value, expected) in [
            ("python3.11", "Python311"),
            ("nodejs20.x", "Nodejs20X"),
            ("s3:ObjectCreated:*", "S3ObjectCreatedAll"),
            ("KEYS_ONLY", "KeysOnly"),
            ("SenderId", "SenderId"),
            ("x86_64", "X8664"),
            ("128", "V128"),
            ("", "Empty"),
            ("Unknown", "UnknownValue"),
        ] {
            assert_eq!(variant(value), expected, "{value}");
        }
    }
}
