// Runs in the page: livekit-client as its users write it, with a log of what it said. `plain` is the client; some pages have
// another, `control`.
/* global LivekitClient */
const { Room, RoomEvent, Track, VideoPreset, VideoPresets } = LivekitClient;

const client = () => ({
  events: [],
  data: [],
  room: undefined,
  noteNoMore() {},
  /** The element of the last picture subscribed to. */
  video: undefined,
  /** Encoded pictures that went out and came in, where they are noted. */
  sent: [],
  arrived: [],

  log(kind, detail = {}) {
    this.events.push({ kind, at: Date.now(), ...detail });
  },

  count(kind) {
    return this.events.filter((event) => event.kind === kind).length;
  },

  async connect({ url, token, options }) {
    const room = new Room({ adaptiveStream: false, dynacast: true, ...options });
    this.room = room;
    for (const name of ['Connected', 'Disconnected', 'Reconnecting', 'SignalReconnecting', 'Reconnected', 'ConnectionQualityChanged']) {
      room.on(RoomEvent[name], (reason) => this.log(name, { reason: typeof reason === 'object' ? undefined : reason }));
    }
    for (const name of ['ParticipantConnected', 'ParticipantDisconnected']) {
      room.on(RoomEvent[name], (participant) => this.log(name, { identity: participant.identity }));
    }
    for (const name of ['TrackMuted', 'TrackUnmuted']) {
      room.on(RoomEvent[name], (publication, participant) =>
        this.log(name, { source: publication.source, identity: participant.identity }));
    }
    room.on(RoomEvent.TrackSubscribed, (track, publication, participant) => {
      this.log('TrackSubscribed', { source: publication.source, identity: participant.identity, sid: publication.trackSid });
      const element = track.attach();
      element.dataset.sid = publication.trackSid;
      if (track.kind === Track.Kind.Video) this.video = element;
      document.body.append(element);
    });
    room.on(RoomEvent.TrackUnsubscribed, (track, publication, participant) => {
      this.log('TrackUnsubscribed', { source: publication.source, identity: participant.identity, sid: publication.trackSid });
      track.detach().forEach((element) => element.remove());
    });
    room.on(RoomEvent.ActiveSpeakersChanged, (speakers) =>
      this.log('ActiveSpeakersChanged', { identities: speakers.map(({ identity }) => identity) }));
    room.on(RoomEvent.DataReceived, (bytes, participant, kind, topic) =>
      this.data.push({ text: new TextDecoder().decode(bytes), identity: participant?.identity, topic, kind }));
    await room.connect(url, token);
  },

  /** resolution: of the camera. layers: [width, height, bits a second, frames a second] of the simulcast layers
   * below it. scalabilityMode: instead, for VP9 and AV1. */
  async publish({
    simulcast = true,
    codec = 'vp8',
    resolution = VideoPresets.h720.resolution,
    layers,
    encoding,
    scalabilityMode,
    sound = true,
  } = {}) {
    const { localParticipant } = this.room;
    await localParticipant.setCameraEnabled(true, { resolution }, {
      simulcast,
      videoCodec: codec,
      videoSimulcastLayers: layers?.map((layer) => new VideoPreset(...layer)) ?? [VideoPresets.h180, VideoPresets.h360],
      ...(encoding ? { videoEncoding: encoding } : {}),
      ...(scalabilityMode ? { scalabilityMode, backupCodec: false } : {}),
    });
    if (sound) await localParticipant.setMicrophoneEnabled(true);
  },

  async send({ text, reliable, topic, to }) {
    await this.room.localParticipant.publishData(new TextEncoder().encode(text), {
      reliable,
      topic,
      destinationIdentities: to,
    });
  },

  /** Everybody else as this client sees them, with the sids of their tracks. */
  others() {
    return [...this.room.remoteParticipants.values()].map((participant) => ({
      identity: participant.identity,
      sid: participant.sid,
      tracks: [...participant.trackPublications.values()].map((publication) => ({
        sid: publication.trackSid,
        source: publication.source,
        muted: publication.isMuted,
        subscribed: publication.isSubscribed,
      })),
    }));
  },

  publication(source) {
    return this.room.localParticipant.getTrackPublication(Track.Source[source]);
  },

  remotePublication(source) {
    const participants = [...this.room.remoteParticipants.values()];
    return participants.map((participant) => participant.getTrackPublication(Track.Source[source])).find(Boolean);
  },

  tap(end, passed) {
    const worker = new Worker('/encoded.js');
    worker.onmessage = ({ data }) => passed.push(data);
    end.transform = new RTCRtpScriptTransform(worker);
  },

  /** To be called before `connect`: notes when each encoded picture of the connections made from now on goes out (`sent`)
   * and comes in (`arrived`), until `noteNoMore`. */
  noteEncoded() {
    const originals = {};
    // At once when they are made: later the browser has short-circuited them.
    for (const name of ['addTransceiver', 'addTrack']) {
      const original = RTCPeerConnection.prototype[name];
      originals[name] = original;
      const { sent, arrived, tap } = this;
      RTCPeerConnection.prototype[name] = function add(what, ...more) {
        const made = original.call(this, what, ...more);
        if ((what.kind ?? what) === 'video') {
          tap(made.sender ?? made, sent);
          if (made.receiver) tap(made.receiver, arrived);
        }
        return made;
      };
    }
    this.noteNoMore = () => Object.assign(RTCPeerConnection.prototype, originals);
  },

  /** From now on: when each picture of the video was decoded, and when this page was too busy to say.
   * Chromium's pages draw at a pace of their own and leave out pictures where it changes, so there the track is read;
   * Firefox says when it drew. */
  watchPictures() {
    const { video } = this;
    this.pictures = [];
    this.stalls = [];
    this.every(20, (late) => late > 60 && this.stalls.push({ at: Date.now(), late }));
    const [track] = video.srcObject.getVideoTracks();
    if (!window.MediaStreamTrackProcessor) {
      // Here it is early enough, and livekit-client has made no section itself.
      const receivers = window.__parleyTest.peers.flatMap((peer) => peer.getReceivers());
      this.tap(receivers.find((receiver) => receiver.track === track), this.arrived);
      const note = (now, { width, rtpTimestamp }) => {
        this.pictures.push({ at: performance.timeOrigin + now, width, mediaMs: rtpTimestamp / 90 });
        video.requestVideoFrameCallback(note);
      };
      video.requestVideoFrameCallback(note);
      return;
    }
    const reader = new MediaStreamTrackProcessor({ track, maxBufferSize: 60 }).readable.getReader();
    const read = async () => {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        const at = performance.timeOrigin + performance.now();
        this.pictures.push({ at, width: value.displayWidth, mediaMs: value.timestamp / 1000 });
        value.close();
      }
    };
    void read();
  },

  /** Asks for the `low` and the `high` quality in turn, `count` times in all, each `restMs` after the one before has been
   * seen; `width` is that of the high one. How long each took, in milliseconds. Needs `watchPictures`. */
  async switchLayers({ count, low, high, width, restMs, limitMs }) {
    const publication = this.remotePublication('Camera');
    const pause = (ms) => new Promise((done) => setTimeout(done, ms));
    const took = { down: [], up: [] };
    for (let made = 0; made < count; made += 1) {
      const up = made % 2 === 1;
      const begun = performance.timeOrigin + performance.now();
      publication.setVideoQuality(up ? high : low);
      while (up !== (this.pictures.at(-1).width === width)) {
        if (performance.timeOrigin + performance.now() - begun > limitMs) {
          throw new Error(`switch ${made + 1} ${up ? 'up' : 'down'} was not seen within ${limitMs} ms`);
        }
        await pause(10);
      }
      took[up ? 'up' : 'down'].push(this.pictures.at(-1).at - begun);
      await pause(restMs);
    }
    return took;
  },

  every(ms, act) {
    let due = performance.now() + ms;
    setInterval(() => {
      const now = performance.now();
      const late = now - due;
      due = now + ms;
      act(late);
    }, ms);
  },
});

window.plain = client();
/** Watches beside the first in the same page. */
window.control = client();
