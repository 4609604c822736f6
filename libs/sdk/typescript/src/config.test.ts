import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { resolveSettings } from './config.ts';

const NOWHERE = { XDG_CONFIG_HOME: '/nowhere' };

async function withProfiles(text: string) {
  const directory = await mkdtemp(join(tmpdir(), 'drydock-config-'));
  await mkdir(join(directory, 'drydock'));
  await writeFile(join(directory, 'drydock/config.toml'), text);
  return { XDG_CONFIG_HOME: directory };
}

test('what is given wins over the environment, and this over the profile', async () => {
  const profile = await withProfiles('[profiles.default]\nurl = "https://profile.example"\napi_key = "dk_profile"\n');
  const environment = { ...profile, DRYDOCK_URL: 'https://environment.example:8443' };
  expect(resolveSettings({}, profile)).toMatchObject({
    address: 'profile.example:443',
    tls: true,
    apiKey: 'dk_profile',
  });
  expect(resolveSettings({}, environment)).toMatchObject({ address: 'environment.example:8443', apiKey: 'dk_profile' });
  const given = { url: 'http://given.example', apiKey: 'dk_given' };
  expect(resolveSettings(given, environment)).toMatchObject({
    address: 'given.example:80',
    tls: false,
    apiKey: 'dk_given',
  });
});

test('a profile that is given wins over the environment, and one that the environment names does not', async () => {
  const profiles = await withProfiles('[profiles.test]\nurl = "https://profile.example"\napi_key = "dk_profile"\n');
  const environment = { ...profiles, DRYDOCK_URL: 'https://environment.example', DRYDOCK_API_KEY: 'dk_environment' };
  expect(resolveSettings({ profile: 'test' }, environment)).toMatchObject({
    address: 'profile.example:443',
    apiKey: 'dk_profile',
  });
  expect(resolveSettings({ profile: 'test', apiKey: 'dk_given' }, environment)).toMatchObject({
    address: 'profile.example:443',
    apiKey: 'dk_given',
  });
  expect(resolveSettings({}, { ...environment, DRYDOCK_PROFILE: 'test' })).toMatchObject({
    address: 'environment.example:443',
    apiKey: 'dk_environment',
  });
});

test('a profile that is given and does not exist is told of, though nothing is needed of it', async () => {
  const profiles = await withProfiles('[profiles.test]\n');
  const environment = { ...profiles, DRYDOCK_URL: 'https://environment.example', DRYDOCK_API_KEY: 'dk_environment' };
  for (const profile of ['other', ''])
    expect(() => resolveSettings({ profile }, environment)).toThrow(/has no profile/);
  const nowhere = { ...environment, ...NOWHERE };
  expect(() => resolveSettings({ profile: 'test' }, nowhere)).toThrow(/config\.toml does not exist$/);
});

test('the platform is on this machine by default', () => {
  expect(resolveSettings({ apiKey: 'dk_x' }, NOWHERE)).toMatchObject({ address: '127.0.0.1:8080', tls: false });
});

test('a file that is no TOML is told of without what is in it', async () => {
  const environment = await withProfiles('[profiles.default]\napi_key = dk_secret\n');
  expect(() => resolveSettings({}, environment)).toThrow(/config\.toml is not TOML \(line 2\)$/);
});

test('a key that is no text is told of', async () => {
  const environment = await withProfiles('[profiles.default]\napi_key = 7\n');
  expect(() => resolveSettings({}, environment)).toThrow(/'api_key' of profile 'default' is not a text$/);
});
