//! What a service allows in its patterns.

/// A way to match a value. `Anything…` stand within `anything-but`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `{"prefix": "a"}`
    Prefix,
    /// `{"prefix": {"equals-ignore-case": "a"}}`
    PrefixIgnoreCase,
    /// `{"suffix": "a"}`
    Suffix,
    /// `{"suffix": {"equals-ignore-case": "a"}}`
    SuffixIgnoreCase,
    /// `{"equals-ignore-case": "a"}`
    EqualsIgnoreCase,
    /// `{"wildcard": "a*b"}`
    Wildcard,
    /// `{"anything-but": …}` a value or a list of values.
    AnythingBut,
    /// `{"anything-but": {"prefix": …}}`
    AnythingButPrefix,
    /// `{"anything-but": {"suffix": …}}`
    AnythingButSuffix,
    /// `{"anything-but": {"equals-ignore-case": …}}`
    AnythingButIgnoreCase,
    /// `{"anything-but": {"wildcard": …}}`
    AnythingButWildcard,
    /// `{"numeric": [">", 0, "<=", 5]}`
    Numeric,
    /// `{"cidr": "10.0.0.0/24"}`
    Cidr,
    /// `{"exists": true}`
    Exists,
    /// `"$or": [{…}, {…}]`
    Or,
}

/// How the number of combinations of a pattern is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counting {
    /// The product of the number of values of each key.
    Values,
    /// The product of the number of values of each key and of how deep the key lies.
    ValuesAndDepth,
}

/// The operators and limits of one service's patterns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dialect {
    /// Every operator that is allowed beside exact values.
    pub operators: &'static [Operator],
    /// The longest pattern, in bytes of JSON.
    pub pattern_bytes_max: usize,
    /// Whether a pattern may name fields within fields.
    pub nested: bool,
    /// The most keys that have values; nothing is no limit but the pattern's size.
    pub keys_max: Option<usize>,
    /// The most combinations of values.
    pub combinations_max: Option<u64>,
    pub(crate) counting: Counting,
    /// The most combinations that `$or` opens.
    pub alternatives_max: usize,
    /// Numbers are compared within ± this.
    pub number_abs_max: f64,
    /// And with so many digits after the point.
    pub number_digits: u8,
}

const ALL: &[Operator] = &[
    Operator::Prefix,
    Operator::PrefixIgnoreCase,
    Operator::Suffix,
    Operator::SuffixIgnoreCase,
    Operator::EqualsIgnoreCase,
    Operator::Wildcard,
    Operator::AnythingBut,
    Operator::AnythingButPrefix,
    Operator::AnythingButSuffix,
    Operator::AnythingButIgnoreCase,
    Operator::AnythingButWildcard,
    Operator::Numeric,
    Operator::Cidr,
    Operator::Exists,
    Operator::Or,
];

/// The column "Pipe support" of the table in `eb-create-pattern-operators.html`, which Lambda's mappings follow.
const PIPES: &[Operator] = &[
    Operator::Prefix,
    Operator::PrefixIgnoreCase,
    Operator::Suffix,
    Operator::SuffixIgnoreCase,
    Operator::EqualsIgnoreCase,
    Operator::AnythingBut,
    Operator::Numeric,
    Operator::Exists,
    Operator::Or,
];

const SNS: &[Operator] = &[
    Operator::Prefix,
    Operator::Suffix,
    Operator::EqualsIgnoreCase,
    Operator::Wildcard,
    Operator::AnythingBut,
    Operator::AnythingButPrefix,
    Operator::AnythingButSuffix,
    Operator::AnythingButWildcard,
    Operator::Numeric,
    Operator::Cidr,
    Operator::Exists,
    Operator::Or,
];

impl Dialect {
    /// Rules of EventBridge: `eb-create-pattern-operators.html`, and the quota on a pattern's size.
    pub const EVENT_BRIDGE: Self = Self {
        operators: ALL,
        pattern_bytes_max: 4_096,
        nested: true,
        keys_max: None,
        combinations_max: None,
        counting: Counting::Values,
        alternatives_max: 1_000,
        number_abs_max: 5e9,
        number_digits: 6,
    };

    /// Filter criteria of Lambda's event source mappings, each at most 4,096 bytes.
    pub const EVENT_SOURCE_MAPPING: Self = Self { operators: PIPES, ..Self::EVENT_BRIDGE };

    /// SNS filter policies over message attributes: `subscription-filter-policy-constraints.html`.
    pub const SNS_ATTRIBUTES: Self = Self {
        operators: SNS,
        pattern_bytes_max: 256 * 1_024,
        nested: false,
        keys_max: Some(5),
        combinations_max: Some(150),
        counting: Counting::Values,
        alternatives_max: 150,
        number_abs_max: 1e9,
        number_digits: 5,
    };

    /// SNS filter policies over a message's body.
    pub const SNS_BODY: Self =
        Self { nested: true, counting: Counting::ValuesAndDepth, ..Self::SNS_ATTRIBUTES };

    /// Whether the operator may be used.
    pub fn allows(&self, operator: Operator) -> bool {
        self.operators.contains(&operator)
    }
}
