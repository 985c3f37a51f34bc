"""The first function of a serverless tutorial: takes a name, answers with a greeting."""


def handle_request(event, context):
    name = event.get("name")
    if not name:
        raise ValueError("name is empty")
    print(f"greeting {name} in request {context.aws_request_id}")
    return {"message": f"Hello, {name}!"}
