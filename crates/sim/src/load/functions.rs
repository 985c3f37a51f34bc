//! Lambda: functions made, asked for, listed, invoked and deleted.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};
use std::time::Duration;

use apus_model_lambda::{
    CreateFunction, CreateFunctionRequest, DeleteFunction, DeleteFunctionRequest, FunctionCode,
    FunctionConfiguration, InvocationRequest, Invoke, LastUpdateStatus, ListFunctions, ListFunctionsRequest,
    Runtime, State, UpdateFunctionCode, UpdateFunctionCodeRequest, UpdateFunctionConfiguration,
    UpdateFunctionConfigurationRequest,
};
use apus_model_lambda::{GetFunctionConfiguration, GetFunctionConfigurationRequest};
use bytes::Bytes;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::{Client, WORKER, is_absent};
use crate::register::Saw;
use crate::value;

pub(crate) const FUNCTIONS: [&str; 3] = ["echo", "mirror", "parrot"];
/// Packages that differ.
const PACKAGES: u64 = 2;

/// The pause between looks at a function that is being made, and how many there are.
const READY_LOOK: Duration = Duration::from_millis(10);
const READY_LOOKS_MAX: usize = 6_000;

/// The history's name of a function.
pub(crate) fn function_key(name: &str) -> String {
    format!("function {name}")
}

pub(super) async fn step(client: &Client) {
    let function = FUNCTIONS[client.below(FUNCTIONS.len() as u64) as usize];
    let name = function_key(function);
    match client.below(20) {
        0..6 => {
            let token = client.history.token();
            let call = client.call::<CreateFunction>(request(function, token, client.below(PACKAGES)));
            let _noted = client.history.write(&name, Some(token), call).await;
        }
        6..9 => {
            let input =
                DeleteFunctionRequest { function_name: function.into(), ..DeleteFunctionRequest::default() };
            let _noted = client.history.write(&name, None, client.call::<DeleteFunction>(input)).await;
        }
        9..12 => {
            let began = client.history.tick();
            if let Some(found) = read(client, function).await {
                client.history.saw(&name, Saw::Value(found), began);
            }
        }
        12..14 => {
            let began = client.history.tick();
            if let Some(listed) = list(client).await {
                for function in FUNCTIONS {
                    let found = listed.get(function).copied();
                    client.history.saw(&function_key(function), Saw::Value(found), began);
                }
            }
        }
        14 => {
            let token = client.history.token();
            let input = UpdateFunctionConfigurationRequest {
                function_name: function.into(),
                description: Some(value::text(token)),
                ..UpdateFunctionConfigurationRequest::default()
            };
            let call = client.call::<UpdateFunctionConfiguration>(input);
            let _noted = client.history.write(&name, Some(token), call).await;
        }
        15 => {
            let input = UpdateFunctionCodeRequest {
                function_name: function.into(),
                zip_file: Some(archive(client.below(PACKAGES))),
                publish: Some(client.below(2) == 0),
                ..UpdateFunctionCodeRequest::default()
            };
            client.history.heard("lambda update", &client.call::<UpdateFunctionCode>(input).await);
        }
        _ => invoke(client, function).await,
    }
}

/// Invokes a function, which answers with what it was given.
pub(crate) async fn invoke(client: &Client, function: &str) {
    let began = client.history.tick();
    let event = Bytes::from(format!("\"{}\"", value::text(client.history.token())));
    let input = InvocationRequest {
        function_name: function.into(),
        payload: Some(event.clone()),
        ..InvocationRequest::default()
    };
    let answer = client.call::<Invoke>(input).await;
    client.history.heard("lambda invoke", &answer);
    match answer {
        Ok(answer) if answer.payload.as_ref() == Some(&event) && answer.function_error.is_none() => {
            client.history.saw(&function_key(function), Saw::Something, began);
        }
        Ok(answer) => client.history.violation(format!("{function}: {event:?} was answered by {answer:?}")),
        Err(error) if is_absent(&error) => {
            client.history.saw(&function_key(function), Saw::Value(None), began);
        }
        Err(_) => {}
    }
}

/// Waits until a function is made, and updated, whatever came between; one that never is contradicts what was promised.
pub(crate) async fn wait_until_active(client: &Client, function: &str) {
    for _ in 0..READY_LOOKS_MAX {
        let input = GetFunctionConfigurationRequest { function_name: function.into(), qualifier: None };
        match client.call::<GetFunctionConfiguration>(input).await {
            Ok(found)
                if found.state != Some(State::Active)
                    || found.last_update_status != Some(LastUpdateStatus::Successful) =>
            {
                client.env.sleep(READY_LOOK).await;
            }
            _ => return,
        }
    }
    client.history.violation(format!("{function} is never made ready"));
}

/// What a function says of itself; nothing if that could not be learnt.
pub(crate) async fn read(client: &Client, function: &str) -> Option<Option<u64>> {
    let input = GetFunctionConfigurationRequest {
        function_name: function.into(),
        ..GetFunctionConfigurationRequest::default()
    };
    let answer = client.call::<GetFunctionConfiguration>(input).await;
    client.history.heard("lambda get", &answer);
    match answer {
        Ok(found) => described(client, &found).map(Some),
        Err(error) => is_absent(&error).then_some(None),
    }
}

/// Every function and what it says of itself; nothing if that could not be learnt.
pub(crate) async fn list(client: &Client) -> Option<BTreeMap<String, u64>> {
    let answer = client.call::<ListFunctions>(ListFunctionsRequest::default()).await;
    client.history.heard("lambda list", &answer);
    let functions = answer.ok()?.functions.unwrap_or_default();
    let line =
        |found: FunctionConfiguration| Some((found.function_name.clone()?, described(client, &found)?));
    Some(functions.into_iter().filter_map(line).collect())
}

fn described(client: &Client, found: &FunctionConfiguration) -> Option<u64> {
    let token = value::read_text(found.description.as_deref().unwrap_or_default());
    if token.is_none() {
        client
            .history
            .violation(format!("{:?}: torn or foreign: {:?}", found.function_name, found.description));
    }
    token
}

pub(crate) fn request(name: &str, token: u64, package: u64) -> CreateFunctionRequest {
    CreateFunctionRequest {
        function_name: name.into(),
        runtime: Some(Runtime::from("python3.12")),
        role: format!("arn:aws:iam::000000000000:role/{WORKER}"),
        handler: Some("handler.handle".into()),
        description: Some(value::text(token)),
        code: FunctionCode { zip_file: Some(archive(package)), ..FunctionCode::default() },
        ..CreateFunctionRequest::default()
    }
}

fn archive(package: u64) -> Bytes {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let content = format!("package = {package}\n");
    let written = writer
        .start_file("handler.py", SimpleFileOptions::default())
        .and_then(|()| Ok(writer.write_all(content.as_bytes())?))
        .and_then(|()| writer.finish());
    written.expect("memory takes it").into_inner().into()
}
