import reference from '@scalar/fastify-api-reference';
import fastify from 'fastify';

const SCRIPT = '/docs/reference.js';
const START = '/docs/start.js';

/** Where the document is, and nothing that would ask another host. */
const CONFIGURATION = {
  url: '/openapi.json',
  withDefaultFonts: false,
  telemetry: false,
  showDeveloperTools: 'never',
  agent: { disabled: true },
  mcp: { disabled: true },
  hideClientButton: true,
  // The samples of the document are shown, which the tests run.
  hiddenClients: true,
} as const;

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Drydock: HTTP API</title>
<link rel="icon" href="data:,">
</head>
<body>
<div id="reference"></div>
<script src="${SCRIPT}"></script>
<script src="${START}"></script>
</body>
</html>
`;

/** The page of the HTTP API and its scripts, by their paths. */
export async function httpReference(): Promise<Record<string, { type: string; text: string }>> {
  return {
    '/docs': { type: 'text/html; charset=utf-8', text: PAGE },
    [SCRIPT]: { type: 'text/javascript; charset=utf-8', text: await readScript() },
    [START]: {
      type: 'text/javascript; charset=utf-8',
      text: `Scalar.createApiReference('#reference', ${JSON.stringify(CONFIGURATION)});\n`,
    },
  };
}

/** The plugin holds the script of the reference, and hands it out by a route alone. */
async function readScript(): Promise<string> {
  const app = fastify();
  try {
    await app.register(reference, { routePrefix: '/', configuration: { url: '/openapi.json' } });
    const { statusCode, payload } = await app.inject('/js/scalar.js');
    if (statusCode !== 200) throw new Error(`the plugin of the API reference answers ${statusCode} for its script`);
    return payload;
  } finally {
    await app.close();
  }
}
