#!/usr/bin/env bash
# Every operation of the HTTP API by curl, in an order in which they run from top to bottom. Each sample, from its line to `end`,
# is shown beside its operation in the gateway's reference. Needs bash, curl and jq; DRYDOCK_URL, and DRYDOCK_API_KEY of an
# operator.
set -euo pipefail

# sample TemplateService_ListTemplates
curl -sS --fail-with-body "$DRYDOCK_URL/v1/templates" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

# sample TemplateService_GetTemplate
curl -sS --fail-with-body "$DRYDOCK_URL/v1/templates/python" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

# sample TemplateService_ListLanguages
curl -sS --fail-with-body "$DRYDOCK_URL/v1/languages" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

# sample ExecutionService_RunCode
curl -sS --fail-with-body "$DRYDOCK_URL/v1/executions:run" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  -d '{"language": "python", "source": "print(6 * 7)"}'
# end

# sample ExecutionService_StreamCode
curl -sS --fail-with-body --no-buffer "$DRYDOCK_URL/v1/executions:stream" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  -d '{"language": "python", "source": "for i in range(3): print(i, flush=True)"}'
# end

# sample ExecutionService_SubmitExecution
EXECUTION_ID=$(curl -sS --fail-with-body "$DRYDOCK_URL/v1/executions" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  -d '{"language": "python", "source": "print(input())", "testCases": [{"stdin": "42", "expectedOutput": "42"}]}' | jq -r .id)
# end

# sample ExecutionService_BatchSubmitExecutions
curl -sS --fail-with-body "$DRYDOCK_URL/v1/executions:batch" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  -d '{"requests": [{"language": "python", "source": "print(1)"}, {"language": "python", "source": "print(2)"}]}'
# end

# sample ExecutionService_WatchExecution
curl -sS --fail-with-body --no-buffer "$DRYDOCK_URL/v1/executions/$EXECUTION_ID:watch" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

# sample ExecutionService_GetExecution
curl -sS --fail-with-body "$DRYDOCK_URL/v1/executions/$EXECUTION_ID" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

# sample ExecutionService_ListExecutions
curl -sS --fail-with-body "$DRYDOCK_URL/v1/executions?states=FINISHED&pageSize=10" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

EXECUTION_ID=$(curl -sS --fail-with-body "$DRYDOCK_URL/v1/executions" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  -d '{"language": "python", "source": "print(42)"}' | jq -r .id)
curl -sS --fail-with-body "$DRYDOCK_URL/v1/executions/$EXECUTION_ID:watch" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" > /dev/null

# sample ExecutionService_ReadExecutionOutput
curl -sS --fail-with-body "$DRYDOCK_URL/v1/executions/$EXECUTION_ID/stdout" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

EXECUTION_ID=$(curl -sS --fail-with-body "$DRYDOCK_URL/v1/executions" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  -d '{"language": "python", "source": "import time; time.sleep(60)"}' | jq -r .id)

# sample ExecutionService_CancelExecution
curl -sS --fail-with-body "$DRYDOCK_URL/v1/executions/$EXECUTION_ID:cancel" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  -d '{}'
# end

# sample SandboxService_CreateSandbox
SANDBOX_ID=$(curl -sS --fail-with-body "$DRYDOCK_URL/v1/sandboxes" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  -d '{"template": "python", "lifetime": "600s", "metadata": {"user": "ada"}}' | jq -r .id)
# end

# sample SandboxService_GetSandbox
curl -sS --fail-with-body "$DRYDOCK_URL/v1/sandboxes/$SANDBOX_ID" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

# sample SandboxService_ListSandboxes
curl -sS --fail-with-body "$DRYDOCK_URL/v1/sandboxes?metadataFilters=user=ada" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

# sample SandboxService_UpdateSandbox
curl -sS --fail-with-body -X PATCH "$DRYDOCK_URL/v1/sandboxes/$SANDBOX_ID" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  -d '{"lifetime": "1200s", "updateMask": "lifetime"}'
# end

# sample FileService_MakeDirectory
curl -sS --fail-with-body "$DRYDOCK_URL/v1/sandboxes/$SANDBOX_ID/files/src:mkdir" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  -d '{}'
# end

# sample FileService_WriteFile
curl -sS --fail-with-body -X PUT "$DRYDOCK_URL/v1/sandboxes/$SANDBOX_ID/files/src/main.py" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  --data-binary 'print(input())'
# end

# sample FileService_ReadFile
curl -sS --fail-with-body "$DRYDOCK_URL/v1/sandboxes/$SANDBOX_ID/files/src/main.py" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

# sample FileService_StatFile
curl -sS --fail-with-body "$DRYDOCK_URL/v1/sandboxes/$SANDBOX_ID/files/src/main.py:stat" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

# sample FileService_ListFiles
curl -sS --fail-with-body "$DRYDOCK_URL/v1/sandboxes/$SANDBOX_ID/files/src:list" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

# sample FileService_ListFiles_2
curl -sS --fail-with-body "$DRYDOCK_URL/v1/sandboxes/$SANDBOX_ID/files:list" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

# sample FileService_MoveFile
curl -sS --fail-with-body "$DRYDOCK_URL/v1/sandboxes/$SANDBOX_ID/files/src/main.py:move" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  -d '{"destination": "main.py"}'
# end

# sample ProcessService_StartProcess
curl -sS --fail-with-body --no-buffer "$DRYDOCK_URL/v1/sandboxes/$SANDBOX_ID/processes" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  -d '{"command": ["python3", "-c", "print(6 * 7)"]}'
# end

# The answer is a line for each event until the process ends; the first one names it.
read -r STARTED < <(curl -sS --fail-with-body --no-buffer "$DRYDOCK_URL/v1/sandboxes/$SANDBOX_ID/processes" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  -d '{"command": ["sh"], "openStdin": true, "detached": true, "terminal": {"rows": 24, "columns": 80}}')
PROCESS_ID=$(jq -r .started.processId <<< "$STARTED")

# sample ProcessService_ListProcesses
curl -sS --fail-with-body "$DRYDOCK_URL/v1/sandboxes/$SANDBOX_ID/processes" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

# sample ProcessService_ResizeProcess
curl -sS --fail-with-body "$DRYDOCK_URL/v1/sandboxes/$SANDBOX_ID/processes/$PROCESS_ID:resize" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  -d '{"terminal": {"rows": 50, "columns": 120}}'
# end

# sample ProcessService_WriteProcessInput
curl -sS --fail-with-body "$DRYDOCK_URL/v1/sandboxes/$SANDBOX_ID/processes/$PROCESS_ID:input" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  -d '{"text": "echo hello\n"}'
# end

# sample ProcessService_SignalProcess
curl -sS --fail-with-body "$DRYDOCK_URL/v1/sandboxes/$SANDBOX_ID/processes/$PROCESS_ID:signal" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  -d '{"signal": "SIGKILL"}'
# end

# sample ProcessService_ConnectProcess
curl -sS --fail-with-body --no-buffer "$DRYDOCK_URL/v1/sandboxes/$SANDBOX_ID/processes/$PROCESS_ID:connect?stdoutOffset=0" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

# sample FileService_RemoveFile
curl -sS --fail-with-body -X DELETE "$DRYDOCK_URL/v1/sandboxes/$SANDBOX_ID/files/src?recursive=true" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

# sample SandboxService_DeleteSandbox
curl -sS --fail-with-body -X DELETE "$DRYDOCK_URL/v1/sandboxes/$SANDBOX_ID" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

# sample BlobService_PutBlob
SHA256=$(printf 'Ada\n' | sha256sum | cut -d ' ' -f 1)
printf 'Ada\n' | curl -sS --fail-with-body -X PUT "$DRYDOCK_URL/v1/blobs/$SHA256" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  -H 'Content-Type: application/octet-stream' --data-binary @-
# end

# sample BlobService_ReadBlob
curl -sS --fail-with-body "$DRYDOCK_URL/v1/blobs/$SHA256" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

# sample BlobService_StatBlobs
curl -sS --fail-with-body "$DRYDOCK_URL/v1/blobs:stat" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  -d "{\"sha256s\": [\"$SHA256\"]}"
# end

# sample TestSetService_CreateTestSet
TEST_SET_ID=$(curl -sS --fail-with-body "$DRYDOCK_URL/v1/testSets" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  -d "{\"name\": \"greeting\", \"cases\": [{\"stdinBlob\": \"$SHA256\", \"expectedOutput\": \"Hello Ada\"}]}" | jq -r .id)
# end

# sample TestSetService_GetTestSet
curl -sS --fail-with-body "$DRYDOCK_URL/v1/testSets/$TEST_SET_ID" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

# sample TestSetService_ListTestSets
curl -sS --fail-with-body "$DRYDOCK_URL/v1/testSets?name=greeting" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

# sample TestSetService_DeleteTestSet
curl -sS --fail-with-body -X DELETE "$DRYDOCK_URL/v1/testSets/$TEST_SET_ID" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

PACKAGE=$(mktemp --suffix .zip)
# An archive of the empty files 1.in and 1.ans.
base64 -d > "$PACKAGE" <<< 'UEsDBBQAAAAAAAAAIQAAAAAAAAAAAAAAAAAEAAAAMS5pblBLAwQUAAAAAAAAACEAAAAAAAAAAAAAAAAABQAAADEuYW5zUEsBAhQDFAAAAAAAAAAhAAAAAAAAAAAAAAAAAAQAAAAAAAAAAAAAAIABAAAAADEuaW5QSwECFAMUAAAAAAAAACEAAAAAAAAAAAAAAAAABQAAAAAAAAAAAAAAgAEiAAAAMS5hbnNQSwUGAAAAAAIAAgBlAAAARQAAAAAA'
# sample TestSetService_ImportTestSet
curl -sS --fail-with-body "$DRYDOCK_URL/v1/testSets:import?name=silence" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  -H 'Content-Type: application/zip' --data-binary "@$PACKAGE"
# end
rm "$PACKAGE"

# sample AuthService_ExchangeToken
curl -sS --fail-with-body "$DRYDOCK_URL/v1/tokens:exchange" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  -d '{}'
# end

# sample AuthService_CreateApiKey
API_KEY_ID=$(curl -sS --fail-with-body "$DRYDOCK_URL/v1/apiKeys" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  -d '{"displayName": "grader", "scopes": ["executions"]}' | jq -r .apiKey.id)
# end

# sample AuthService_ListApiKeys
curl -sS --fail-with-body "$DRYDOCK_URL/v1/apiKeys" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

# sample AuthService_RevokeApiKey
curl -sS --fail-with-body -X DELETE "$DRYDOCK_URL/v1/apiKeys/$API_KEY_ID" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

# sample WebhookService_CreateWebhook
WEBHOOK_ID=$(curl -sS --fail-with-body "$DRYDOCK_URL/v1/webhooks" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  -d '{"url": "https://example.com/drydock"}' | jq -r .webhook.id)
# end

# sample WebhookService_GetWebhook
curl -sS --fail-with-body "$DRYDOCK_URL/v1/webhooks/$WEBHOOK_ID" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

# sample WebhookService_ListWebhooks
curl -sS --fail-with-body "$DRYDOCK_URL/v1/webhooks" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

# sample WebhookService_RotateWebhookSecret
curl -sS --fail-with-body "$DRYDOCK_URL/v1/webhooks/$WEBHOOK_ID:rotateSecret" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  -d '{}'
# end

EXECUTION_ID=$(curl -sS --fail-with-body "$DRYDOCK_URL/v1/executions" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  -d '{"language": "python", "source": "print(42)"}' | jq -r .id)
curl -sS --fail-with-body "$DRYDOCK_URL/v1/executions/$EXECUTION_ID:watch" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" > /dev/null
until DELIVERY_ID=$(curl -sS --fail-with-body "$DRYDOCK_URL/v1/webhooks/$WEBHOOK_ID/deliveries" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" | jq -re '.deliveries[0].id'); do :; done

# sample WebhookService_ListWebhookDeliveries
curl -sS --fail-with-body "$DRYDOCK_URL/v1/webhooks/$WEBHOOK_ID/deliveries" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

# sample WebhookService_RedeliverWebhook
curl -sS --fail-with-body "$DRYDOCK_URL/v1/webhooks/$WEBHOOK_ID/deliveries/$DELIVERY_ID:redeliver" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  -d '{}'
# end

# sample WebhookService_DeleteWebhook
curl -sS --fail-with-body -X DELETE "$DRYDOCK_URL/v1/webhooks/$WEBHOOK_ID" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

# sample AuthService_CreateOrganization
ORGANIZATION_ID=$(curl -sS --fail-with-body "$DRYDOCK_URL/v1/organizations" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  -d '{"displayName": "Ada school", "quota": {"concurrentSandboxes": 10}}' | jq -r .organization.id)
# end

# sample AuthService_GetOrganization
curl -sS --fail-with-body "$DRYDOCK_URL/v1/organizations/$ORGANIZATION_ID" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

# sample AuthService_ListOrganizations
curl -sS --fail-with-body "$DRYDOCK_URL/v1/organizations" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end

# sample AuthService_UpdateOrganization
curl -sS --fail-with-body -X PATCH "$DRYDOCK_URL/v1/organizations/$ORGANIZATION_ID" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY" \
  -d '{"displayName": "Ada and Grace", "updateMask": "displayName"}'
# end

# sample AuthService_DeleteOrganization
curl -sS --fail-with-body -X DELETE "$DRYDOCK_URL/v1/organizations/$ORGANIZATION_ID" \
  -H "Authorization: Bearer $DRYDOCK_API_KEY"
# end
