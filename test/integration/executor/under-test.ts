import type { Isolation } from '#proto/drydock/v1/execution.ts';
import { ensureImage } from '../../../deploy/images/build.ts';
import { clusterVariables, connectCluster, observeCluster } from './cluster.ts';
import { type Below, connectEngine, type Observed, observeEngine } from './engine.ts';

export const ENGINE_SOCKET = process.env.DOCKER_SOCKET ?? '/var/run/docker.sock';
const IMAGE_CACHE = process.env.IMAGE_CACHE ?? '/var/lib/drydock/images';

/** The cluster's kubeconfig where the tests run against one; else they run against a Docker engine. */
export const KUBECONFIG = process.env.TEST_KUBECONFIG;

/** Every kind of isolation that is to be had there, for tests of what is alike in all. */
export const ISOLATIONS: Isolation[] = KUBECONFIG ? ['SANDBOX'] : ['CELL', 'SANDBOX'];

/** In which a program that does its worst has its verdict. A pod takes seconds to be made, and more processes to be ended. */
export const VERDICT_WITHIN_MS = KUBECONFIG ? 20_000 : 8_000;

/** Why a test of something that only an engine on this host can do does not run; nothing where it does. */
export const NEEDS_ENGINE = KUBECONFIG ? 'a cluster cannot do this' : undefined;

export function variables(): Record<string, string> {
  return KUBECONFIG ? clusterVariables(KUBECONFIG) : { DOCKER_SOCKET: ENGINE_SOCKET };
}

export function below(executorId: string): Below {
  return KUBECONFIG ? connectCluster(KUBECONFIG, executorId) : connectEngine(ENGINE_SOCKET, executorId);
}

export function observe(): Promise<Observed> {
  return KUBECONFIG ? observeCluster(KUBECONFIG) : observeEngine(ENGINE_SOCKET);
}

/** The image of Python, there. A cluster has been given it before. */
export async function pythonImage(): Promise<string> {
  return (
    process.env.PYTHON_IMAGE ?? ensureImage('python', { dockerSocket: ENGINE_SOCKET, cacheDirectory: IMAGE_CACHE })
  );
}
