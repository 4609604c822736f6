import { join } from 'node:path';
import { execa } from 'execa';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { ROOT } from '../../deploy/host/root.ts';
import { BROWSER, ensureSystemPackages } from '../../deploy/host/system-packages.ts';

const { httpUrl, apiKey } = inject('platform');

type Operation = { operationId?: string; security?: []; 'x-codeSamples'?: { label: string; source: string }[] };
type Document = { paths: Record<string, Record<string, Operation>> };

test('every operation of the API has a sample in each language', async () => {
  const document = (await (await fetch(`${httpUrl}/openapi.json`)).json()) as Document;
  const operations = Object.entries(document.paths)
    .filter(([path]) => path.startsWith('/v1/'))
    .flatMap(([, methods]) => Object.values(methods));
  expect(operations.length).toBeGreaterThan(40);
  for (const { operationId, 'x-codeSamples': samples = [] } of operations) {
    const labels = samples.map(({ label }) => label);
    expect(labels, operationId).toEqual(['curl', 'TypeScript']);
  }
});

test('the samples by curl run from top to bottom', async () => {
  const { stdout } = await execa('bash', [join(ROOT, 'libs/sdk/curl/operations.sh')], {
    env: { DRYDOCK_URL: httpUrl, DRYDOCK_API_KEY: apiKey },
    timeout: 60_000,
  });
  expect(stdout).toContain('"displayName":"Ada and Grace"');
});

describe('in a browser', () => {
  let browser: Browser;

  beforeAll(async () => {
    await ensureSystemPackages((line) => process.stdout.write(`${line}\n`), [BROWSER]);
    const args = ['--no-sandbox', '--disable-quic', '--disable-background-networking', '--disable-component-update'];
    browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args });
  });
  afterAll(() => browser?.close());

  /** A page, the addresses that it asked for, and what went wrong in it. */
  async function open(path: string) {
    const page = await browser.newPage();
    const [requests, faults]: [string[], string[]] = [[], []];
    page.on('request', (request) => requests.push(request.url()));
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
    await page.goto(`${httpUrl}${path}`);
    return { page, requests, faults };
  }

  const isForeign = (url: string) => /^(https?|wss?):/.test(url) && new URL(url).origin !== httpUrl;
  const links = (page: Page) =>
    page.locator('a[href]').evaluateAll((all) => all.map((link) => String((link as { href?: unknown }).href)));

  test('the HTTP reference is there, and asks no other host', async () => {
    const { page, requests, faults } = await open('/docs');
    await page.getByText('Exchanges an API key').first().waitFor();
    await page.getByText('SandboxService').first().waitFor();
    const shown = await page.screenshot();
    const blank = await browser.newPage();
    expect(shown.length).toBeGreaterThan(5 * (await blank.screenshot()).length);
    expect(requests.filter(isForeign)).toEqual([]);
    expect(faults).toEqual([]);
    for (const link of new Set(await links(page)))
      if (link.startsWith(httpUrl)) expect((await fetch(link)).status, link).toBe(200);
    await page.close();
    await blank.close();
  });

  test('the samples of an operation are shown by language', async () => {
    const { page } = await open('/docs#tag/executionservice/POST/v1/executions:run');
    const sample = page.locator('pre', { hasText: 'print(6 * 7)' }).first();
    await sample.filter({ hasText: '/v1/executions:run' }).waitFor();
    await page.getByRole('button', { name: 'curl' }).first().click();
    await page.getByText('TypeScript', { exact: true }).first().click();
    await sample.filter({ hasText: "drydock.run('python'" }).waitFor();
    await page.close();
  });

  test('the gRPC reference names every service, and its links lead somewhere', async () => {
    const { page, requests, faults } = await open('/docs/grpc');
    await page.getByRole('heading', { name: 'ExecutionService', exact: true }).waitFor();
    for (const link of new Set(await links(page))) {
      const { origin, pathname, hash } = new URL(link);
      expect(origin).toBe(httpUrl);
      if (pathname !== '/docs/grpc') expect((await fetch(link)).status).toBe(200);
      else expect(await page.locator(`[id="${hash.slice(1)}"]`).count(), link).toBe(1);
    }
    expect(requests.filter(isForeign)).toEqual([]);
    expect(faults).toEqual([]);
    await page.close();
  });
});
