import type { TestProject } from 'vitest/node';
import { startTestPlatform } from './platform.ts';

declare module 'vitest' {
  interface ProvidedContext {
    platform: {
      gatewayAddress: string;
      httpUrl: string;
      apiKey: string;
      tlsDirectory: string;
      /** Where each process's metrics are, by its name. */
      metricsUrls: Record<string, string>;
    };
  }
}

/** One platform with two executors for every file of a project. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const platform = await startTestPlatform();
  const { gatewayAddress, httpUrl, apiKey, tlsDirectory } = platform;
  project.provide('platform', {
    gatewayAddress,
    httpUrl,
    apiKey,
    tlsDirectory,
    metricsUrls: Object.fromEntries(platform.metricsUrls),
  });
  return async () => {
    await platform[Symbol.asyncDispose]();
  };
}
