import type { Isolation } from '#proto/drydock/v1/execution.ts';
import { ensureImage } from '../../../deploy/images/build.ts';
import { clusterVariables, connectCluster, observeCluster } from './cluster.ts';
import { type Below, connectEngine, type Observed, observeEngine } from './engine.ts';

/** Of the engine under test. Asked for when it is needed: a benchmark starts its engine after this is loaded. */
export const engineSocket = () => process.env.DOCKER_SOCKET ?? '/var/run/docker.sock';
const imageCache = () => process.env.IMAGE_CACHE ?? '/var/lib/drydock/images';

/** The cluster's kubeconfig where the tests run against one; else they run against a Docker engine. */
export const KUBECONFIG = process.env.TEST_KUBECONFIG;

/** Every kind of isolation that is to be had there, for tests of what is alike in all. */
export const ISOLATIONS: Isolation[] = KUBECONFIG ? ['SANDBOX'] : ['CELL', 'SANDBOX'];

/** In which a program that does its worst has its verdict. A pod takes seconds to be made, and more processes to be ended. */
export const VERDICT_WITHIN_MS = KUBECONFIG ? 20_000 : 8_000;

/** Why a test of something that only an engine on this host can do does not run; nothing where it does. */
export const NEEDS_ENGINE = KUBECONFIG ? 'a cluster cannot do this' : undefined;

export function variables(): Record<string, string> {
  return KUBECONFIG ? clusterVariables(KUBECONFIG) : { DOCKER_SOCKET: engineSocket() };
}

export function below(executorId: string): Below {
  return KUBECONFIG ? connectCluster(KUBECONFIG, executorId) : connectEngine(engineSocket(), executorId);
}

export function observe(): Promise<Observed> {
  return KUBECONFIG ? observeCluster(KUBECONFIG) : observeEngine(engineSocket());
}

/** The image of Python, there. A cluster has been given it before. */
export async function pythonImage(): Promise<string> {
  return (
    process.env.PYTHON_IMAGE ?? ensureImage('python', { dockerSocket: engineSocket(), cacheDirectory: imageCache() })
  );
}
