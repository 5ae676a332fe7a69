// Runs in the page: livekit-client as its users write it, with a log of what it said.
/* global LivekitClient */
const { Room, RoomEvent, Track, VideoPresets } = LivekitClient;

window.plain = {
  events: [],
  data: [],
  room: undefined,

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

  async publish({ simulcast = true } = {}) {
    const { localParticipant } = this.room;
    await localParticipant.setCameraEnabled(true, { resolution: VideoPresets.h720.resolution }, {
      simulcast,
      videoCodec: 'vp8',
      videoSimulcastLayers: [VideoPresets.h180, VideoPresets.h360],
    });
    await localParticipant.setMicrophoneEnabled(true);
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
    const [participant] = this.room.remoteParticipants.values();
    return participant.getTrackPublication(Track.Source[source]);
  },
};
