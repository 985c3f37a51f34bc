//! The macros that generated model crates are written with: what every structure, enumeration, operation and
//! error has is said once, here, and the generated text names only what differs.
//!
//! Their functions are inline, so that a model crate compiles those alone that somebody calls.

/// A structure of the model, with its members in the model's order.
#[macro_export]
macro_rules! structure {
    ($schema:path, pub struct $name:ident { $($(#[$attribute:meta])* pub $member:ident: $type:ty,)* }) => {
        #[derive(Clone, Default)]
        pub struct $name { $($(#[$attribute])* pub $member: $type,)* }

        impl $crate::Structure for $name {
            const SCHEMA: &'static $crate::Schema = &$schema;
            #[inline]
            fn slots(&mut self, see: &mut dyn FnMut(&mut [&mut dyn $crate::Slot])) {
                see(&mut [$(&mut self.$member),*]);
            }
        }

        impl PartialEq for $name {
            #[inline]
            fn eq(&self, other: &Self) -> bool {
                $crate::Structure::into_fields(self.clone()) == $crate::Structure::into_fields(other.clone())
            }
        }

        impl ::std::fmt::Debug for $name {
            #[inline]
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                $crate::Shown::structure(self.clone(), f)
            }
        }
    };
}

/// A text that should be one of those listed. Others are kept: a newer model may know them.
#[macro_export]
macro_rules! string_enum {
    ($name:ident { $($variant:ident = $value:literal,)* }) => {
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name {
            $($variant,)*
            /// A value that the model does not list.
            Unknown(String),
        }

        impl $name {
            /// What the model lists, in its order.
            pub const VALUES: &'static [&'static str] = &[$($value),*];

            /// The value as it is written.
            #[inline]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $value,)*
                    Self::Unknown(text) => text,
                }
            }
        }

        impl From<&str> for $name {
            #[inline]
            fn from(text: &str) -> Self {
                match text {
                    $($value => Self::$variant,)*
                    other => Self::Unknown(other.to_owned()),
                }
            }
        }

        impl From<String> for $name {
            #[inline]
            fn from(text: String) -> Self {
                Self::from(text.as_str())
            }
        }

        /// The empty text, as for strings.
        impl Default for $name {
            #[inline]
            fn default() -> Self {
                Self::from("")
            }
        }

        impl ::std::fmt::Display for $name {
            #[inline]
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::Shape for $name {
            #[inline]
            fn from_value(value: $crate::Value) -> Result<Self, $crate::Mismatch> {
                <String as $crate::Shape>::from_value(value).map(Self::from)
            }
            #[inline]
            fn into_value(self) -> $crate::Value {
                $crate::Value::String(match self {
                    Self::Unknown(text) => text,
                    known => known.as_str().to_owned(),
                })
            }
        }
    };
}

/// An operation as a type, and its table.
#[macro_export]
macro_rules! operation {
    ($(#[$attribute:meta])* $name:ident($input:ty) -> $output:ty = $table:ident $schema:expr;) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl $crate::Operation for $name {
            type Input = $input;
            type Output = $output;
            const SCHEMA: &'static $crate::OperationSchema = &$table;
        }

        pub static $table: $crate::OperationSchema = $crate::OperationSchema {
            input: <$input as $crate::Structure>::SCHEMA,
            output: <$output as $crate::Structure>::SCHEMA,
            ..$schema
        };
    };
}

/// An error of the model and its constructor.
#[macro_export]
macro_rules! modelled_error {
    ($table:ident, $constructor:ident, $schema:expr) => {
        pub static $table: $crate::ErrorSchema = $schema;

        #[inline]
        pub fn $constructor(message: impl Into<String>) -> $crate::ServiceError {
            $crate::ServiceError::modelled(&$table, message)
        }
    };
}

#[cfg(test)]
#[allow(missing_docs, unreachable_pub)] // as in a generated crate
mod tests {
    use crate::{Fields, Kind, Member, Schema, Shape, Structure, Value};

    string_enum! { Colour { Red = "red", DarkBlue = "dark-blue", } }

    static COLOUR: Schema = Schema::enumeration("Colour", Colour::VALUES);
    static NAME: Schema = Schema::new("Name", Kind::String);
    static SECRET: Schema = Schema::new("Secret", Kind::String).sensitive();
    static THING: Schema = Schema::structure(
        "Thing",
        &[
            Member::new("Name", &NAME).required(),
            Member::new("Colour", &COLOUR),
            Member::new("Secret", &SECRET),
        ],
    );

    structure! { THING,
        pub struct Thing {
            pub name: String,
            pub colour: Option<Colour>,
            pub secret: Option<String>,
        }
    }

    #[test]
    fn members_move_in_and_out_in_the_schemas_order() {
        let thing = Thing { name: "a".into(), colour: Some(Colour::DarkBlue), secret: None };
        let fields = thing.clone().into_fields();
        assert_eq!(fields.named(&THING, "Colour"), Some(&Value::from("dark-blue")));
        assert_eq!(fields.get(2), None);
        assert_eq!(Thing::from_fields(fields), Ok(thing));
    }

    #[test]
    fn a_required_member_must_be_there_and_a_mismatch_names_its_path() {
        let missing = Thing::from_fields(Fields::new(&THING)).unwrap_err().to_string();
        assert_eq!(missing, "member `Name` should be a string, found null");
    }

    #[test]
    fn a_sensitive_member_is_not_shown() {
        let thing = Thing { name: "a".into(), colour: None, secret: Some("hush".into()) };
        assert_eq!(format!("{thing:?}"), r#"Thing { Name: "a", Secret: *** }"#);
    }

    #[test]
    fn an_unlisted_value_is_kept() {
        let colour = Colour::from_value("green".into()).unwrap();
        assert_eq!(colour, Colour::Unknown("green".into()));
        assert_eq!(colour.into_value(), "green".into());
        assert_eq!(Colour::from("red"), Colour::Red);
    }
}
