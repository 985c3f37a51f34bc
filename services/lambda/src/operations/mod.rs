//! The operations, one file each.

pub(crate) mod create_alias;
pub(crate) mod create_function;
pub(crate) mod delete_alias;
pub(crate) mod delete_function;
pub(crate) mod delete_function_concurrency;
pub(crate) mod get_alias;
pub(crate) mod get_function;
pub(crate) mod get_function_concurrency;
pub(crate) mod get_function_configuration;
pub(crate) mod invoke;
pub(crate) mod list_aliases;
pub(crate) mod list_functions;
pub(crate) mod list_versions_by_function;
pub(crate) mod publish_version;
pub(crate) mod put_function_concurrency;
pub(crate) mod update_alias;
pub(crate) mod update_function_code;
pub(crate) mod update_function_configuration;
