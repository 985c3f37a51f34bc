'use strict';
// Lines of the console as AWS's JSON records. Loaded where the function's log is in JSON.

const { format } = require('util');

// An error says what it is, and what else it was given.
function plain(_, value) {
  if (!(value instanceof Error)) return value;
  return { ...described(value), ...value };
}

function described(error) {
  return {
    errorType: error.constructor?.name ?? 'UnknownError',
    errorMessage: error.message,
    stackTrace: typeof error.stack === 'string' ? error.stack.split('\n') : [],
  };
}

function record(level, requestId, values) {
  const known = { timestamp: new Date().toISOString(), level, requestId };
  if (values.length <= 1) {
    try {
      return JSON.stringify({ ...known, message: values[0] }, plain);
    } catch {
      // A value that refers to itself, or has no JSON.
      return JSON.stringify({ ...known, message: format(values[0]) });
    }
  }
  const error = values.slice(1).find((value) => value instanceof Error);
  return JSON.stringify({ ...known, message: format(...values), ...(error && described(error)) });
}

module.exports = { record };
