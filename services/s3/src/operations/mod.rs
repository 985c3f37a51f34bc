//! The operations, one to a file.

pub(crate) mod create_bucket;
pub(crate) mod delete_bucket;
pub(crate) mod delete_object;
pub(crate) mod get_object;
pub(crate) mod head_bucket;
pub(crate) mod head_object;
pub(crate) mod list_buckets;
pub(crate) mod list_objects_v2;
pub(crate) mod put_object;

pub(crate) use create_bucket::create_bucket;
pub(crate) use delete_bucket::delete_bucket;
pub(crate) use delete_object::delete_object;
pub(crate) use get_object::get_object;
pub(crate) use head_bucket::head_bucket;
pub(crate) use head_object::head_object;
pub(crate) use list_buckets::list_buckets;
pub(crate) use list_objects_v2::list_objects_v2;
pub(crate) use put_object::put_object;
