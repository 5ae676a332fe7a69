// Access tokens as LiveKit's SDKs make them (JWT, HS256), and wrong ones for the tests of refusals.
import { createHmac } from 'node:crypto';

export const DEV = { key: 'devkey', secret: 'secret' };

/** Calls LiveKit's server API as an administrator of `room`; gives status and answer. */
export async function serverApi(server, method, request, { key = DEV.key, secret = DEV.secret } = {}) {
  const grants = { roomCreate: true, roomList: true, roomAdmin: true, destinationRoom: request.destination_room };
  const token = accessToken({ identity: 'desk', room: request.room, grants, key, secret });
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const body = JSON.stringify(request);
  const response = await fetch(`${server.url}/twirp/livekit.RoomService/${method}`, { method: 'POST', headers, body });
  return { status: response.status, answer: await response.json() };
}

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** grants: the `video` claim. validSeconds may be negative: expired. */
export function accessToken({ identity, room, name = identity, grants, key = DEV.key, secret = DEV.secret, validSeconds = 600, header }) {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: key,
    sub: identity,
    name,
    nbf: now - 3600,
    exp: now + validSeconds,
    video: { room, roomJoin: true, canPublish: true, canSubscribe: true, canPublishData: true, ...grants },
  };
  const signed = `${encode({ alg: 'HS256', typ: 'JWT', ...header })}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}
