import type { Messages } from "../../i18n/catalogue";

/** The source of all texts of the call, the waiting room and the technical check. */
const en = {
  loading: "Loading your appointment…",
  "action.try_again": "Try again",
  "action.rejoin": "Join again",
  "action.close": "Close",
  "action.done": "Done",
  "action.without": "Go on without",

  "summary.provider_time": "{time} for {name}",

  "prejoin.title": "Ready to join?",
  "prejoin.next_client": "Next you are in the waiting room until you are let in.",
  "prejoin.next_provider": "You go straight into the call.",
  "prejoin.name": "Your name",
  "prejoin.name_help": "The others see it in the call.",
  "prejoin.name_missing": "Enter your name, so that the others know who you are.",
  "prejoin.join": "Join",
  "prejoin.failed": "Joining did not work",
  "prejoin.failed_help": "Check your connection and select Join again.",

  "self.label": "Your camera",
  "self.camera_off": "Your camera is off",
  "self.starting": "Starting the camera…",

  "device.camera": "Camera",
  "device.microphone": "Microphone",
  "device.speaker": "Speaker",
  "device.camera_number": "Camera {number}",
  "device.microphone_number": "Microphone {number}",
  "device.speaker_number": "Speaker {number}",
  "device.default": "Default of this device",
  "device.none": "None found",
  "device.choose_camera": "Choose camera",
  "device.choose_microphone": "Choose microphone and speaker",
  "device.test_speaker": "Test sound",
  "device.test_playing": "Playing…",
  "device.speak": "Say something: the bars move",
  "device.microphone_is_off": "Your microphone is off",

  "verdict.checking": "Checking your connection…",
  "verdict.good": "Your connection is good.",
  "verdict.fair": "Your connection will do. The picture may be less sharp.",
  "verdict.poor":
    "Your connection is slow. Move closer to the router, or join with the camera off.",
  "verdict.offline": "No connection to the server. Check the Wi-Fi or mobile data.",
  "verdict.blocked":
    "This network or browser blocks calls. Try another network, or switch off the VPN.",

  "trouble.insecure": "This page is not secure, so the browser hides camera and microphone",
  "trouble.unsupported": "This browser gives no access to camera and microphone",
  "trouble.denied.camera": "The camera is blocked",
  "trouble.denied.microphone": "The microphone is blocked",
  "trouble.denied.both": "Camera and microphone are blocked",
  "trouble.not_found.camera": "No camera found",
  "trouble.not_found.microphone": "No microphone found",
  "trouble.not_found.both": "No camera and no microphone found",
  "trouble.in_use.camera": "The camera does not start",
  "trouble.in_use.microphone": "The microphone does not start",
  "trouble.in_use.both": "Camera and microphone do not start",
  "trouble.lost.camera": "The camera was disconnected",
  "trouble.lost.microphone": "The microphone was disconnected",
  "trouble.lost.both": "Camera and microphone were disconnected",
  "trouble.failed.camera": "The camera does not work",
  "trouble.failed.microphone": "The microphone does not work",
  "trouble.failed.both": "Camera and microphone do not work",
  "trouble.join_anyway": "You can also join without.",
  "trouble.join_without_camera": "You can also join with sound only.",

  "advice.denied.chrome":
    "Select the icon left of the address, allow camera and microphone, then try again.",
  "advice.denied.firefox":
    "Select the crossed-out camera or microphone left of the address, remove the block, then try again.",
  "advice.denied.safari":
    "In the menu Safari, open Settings for This Website, set camera and microphone to Allow, then try again.",
  "advice.denied.ios":
    "Open Settings, your browser, allow Camera and Microphone, then load this page again.",
  "advice.denied.android":
    "Select the icon left of the address, then Permissions, allow camera and microphone, then try again.",
  "advice.denied.other":
    "Allow camera and microphone for this page in the settings of your browser, then try again.",
  "advice.system.macos":
    "Open System Settings, Privacy & Security, and allow your browser under Camera and Microphone. Then restart the browser.",
  "advice.system.windows":
    "Open Settings, Privacy, Camera and Microphone, and allow access for desktop apps. Then try again.",
  "advice.system.other":
    "Allow your browser to use camera and microphone in the settings of your device, then try again.",
  "advice.not_found": "Plug one in or switch it on. It is used as soon as it is found.",
  "advice.in_use": "Close other programs that use it, such as another call. Then try again.",
  "advice.lost": "Plug it in again or choose another one.",
  "advice.insecure": "Open the link with https:// in front, just as it stood in your invitation.",
  "advice.unsupported": "Use a current Chrome, Edge, Firefox or Safari.",
  "advice.failed": "Unplug it and plug it in again, or restart the browser. Then try again.",

  "waiting.title": "You are in the waiting room",
  "waiting.next": "{name} knows that you are here and will let you in. Stay on this page.",
  "waiting.since": "Waiting for",
  "waiting.starts": "Planned start",
  "waiting.privacy": "Nobody sees or hears you before you are let in.",
  "waiting.leave": "Leave the waiting room",

  "early.title": "You are early",
  "early.opens_in": "You can join in",
  "early.opens_at": "From {time}",
  "early.stay":
    "You can leave this page open: it moves on by itself. Meanwhile, make sure that everything works.",

  "call.stage": "People in the call",
  "call.connecting": "Connecting…",
  "call.alone": "{name} will be here soon.",
  "call.alone_nobody_waits": "Nobody is waiting yet. You see here who arrives.",
  "call.alone_someone_waits": "Somebody is waiting. Admit them in the list.",

  "tile.guest": "Guest",
  "tile.you": "{name} (you)",
  "tile.screen_of": "Screen of {name}",
  "tile.your_screen": "Your screen",
  "tile.muted": "Microphone off",
  "tile.pin": "Keep {name} large",
  "tile.unpin": "Do not keep {name} large any more",
  "tile.stalled": "Connection lost. Waiting…",

  "quality.excellent": "Connection: very good",
  "quality.good": "Connection: good",
  "quality.poor": "Connection: weak",
  "quality.lost": "Connection: lost",
  "quality.unknown": "Connection: not measured yet",

  "control.bar": "Call controls",
  "control.camera_on": "Turn the camera on",
  "control.camera_off": "Turn the camera off",
  "control.microphone_on": "Turn the microphone on",
  "control.microphone_off": "Turn the microphone off",
  "control.flip": "Switch between front and back camera",
  "control.share": "Share your screen",
  "control.share_short": "Share",
  "control.share_stop": "Stop sharing your screen",
  "control.layout_grid": "Show everyone alike",
  "control.layout_speaker": "Show the speaker large",
  "control.layout_short": "Layout",
  "control.people": "People",
  "control.people_short": "People",
  "control.people_waiting": {
    one: "People, {count} is waiting",
    other: "People, {count} are waiting",
  },
  "control.more": "More",
  "control.devices": "Camera, microphone, speaker",
  "control.pip": "Picture in picture",
  "control.fullscreen": "Full screen",
  "control.shortcuts": "Keyboard shortcuts",
  "control.leave": "Leave",
  "control.end_for_all": "End for all",

  "end_for_all.title": "End the consultation for all?",
  "end_for_all.help": "Everybody leaves the call, and the consultation is marked as completed.",
  "end_for_all.failed": "It could not be ended. Check your connection and try again.",
  "end_for_all.not_started":
    "It has not begun: nobody else has been in the call. Leave instead, or cancel the appointment.",

  "people.in_call": { one: "In the call ({count})", other: "In the call ({count})" },
  "people.waiting": "Waiting",
  "people.nobody_waits": "Nobody is waiting.",
  "people.waiting_for": "for {time}",
  "people.admit": "Admit",
  "people.decline": "Decline",
  "people.admit_failed": "That did not work. Check your connection and try again.",
  "people.microphone_on": "Microphone on",
  "people.camera_on": "Camera on",
  "people.camera_off": "Camera off",

  "timer.elapsed": "Time in the call",
  "timer.until": "until {time}",
  "timer.left": "{time} left",
  "timer.overtime": "{time} over time",

  "shortcut.microphone": "Microphone on or off",
  "shortcut.camera": "Camera on or off",
  "shortcut.space": "Space",
  "shortcut.talk": "Hold to talk while the microphone is off",
  "shortcut.help": "This list",
  "shortcut.enabled": "Use keyboard shortcuts",

  "reconnect.title": "Reconnecting…",
  "reconnect.first_title": "Still connecting…",
  "reconnect.help": "This happens by itself. Please stay here.",
  "reconnect.next": {
    one: "Next attempt in {count} second.",
    other: "Next attempt in {count} seconds.",
  },
  "reconnect.now": "Try now",

  "failure.media_blocked": "This network does not let the call through",
  "failure.media_blocked_help":
    "Try another network, such as mobile data, or switch off the VPN. Then try again.",
  "failure.server_gone": "The server cannot be reached",
  "failure.server_gone_help":
    "Check your connection and join again. If it goes on, call the practice.",
  "failure.refused": "You could not be let into the call",
  "failure.refused_help": "Leave, then open your link again.",

  "audio.blocked": "Sound is off",
  "audio.blocked_help": "The browser wants a click before it plays sound.",
  "audio.turn_on": "Turn on sound",

  "share.failed": "The screen could not be shared",
  "share.failed_help": "Choose another window, or restart the browser and try again.",
  "share.denied_by_system":
    "Allow your browser to record the screen in the settings of your device, then restart the browser.",

  "live.joined": "{name} has joined",
  "live.left": "{name} has left",
  "live.reconnecting": "Connection lost, reconnecting",
  "live.reconnected": "Connected again",
  "live.share_started": "You are sharing your screen",
  "live.share_ended": "Your screen is not shared any more",

  "notice.a_device": "A device",
  "notice.added": "{device} was connected",
  "notice.removed": "{device} was disconnected",
  "notice.switched": "Now using {device}",
  "notice.use": "Use it",

  "end.left": "You have left the call",
  "end.left_waiting": "You have left the waiting room",
  "end.left_help": "Left by mistake? You can come back while the appointment lasts.",
  "end.joined": "Joined",
  "end.left_at": "Left",
  "end.duration": "Duration",
  "end.ended": "The consultation has ended",
  "end.ended_help": "You can close this page.",
  "end.dashboard": "To the dashboard",
  "end.cancelled": "This appointment was cancelled",
  "end.cancelled_help":
    "Your appointment page and the mail tell you more. To meet at another time, book again.",
  "end.declined": "You were not let in",
  "end.declined_help":
    "{name} cannot see you now. Call the practice if you think that this is a mistake.",
  "end.removed": "You were taken out of the call",
  "end.removed_help": "Call the practice if you think that this is a mistake.",

  "problem.code": "Code: {code}",
  "problem.use_here": "Use the call here",
  "problem.link_invalid": "This link does not work",
  "problem.link_invalid_help":
    "Open it straight from the mail or copy it whole. A newer mail may hold a newer link.",
  "problem.enter_code": "Enter the code instead",
  "problem.link_expired": "This link has expired",
  "problem.link_expired_help":
    "The time for this appointment is over. Book again, or ask the practice for a new link.",
  "problem.room_full": "The call is full",
  "problem.room_full_help":
    "Close the call on your other devices, or wait until somebody leaves. Then try again.",
  "problem.server": "The server cannot be reached",
  "problem.server_help":
    "Check your connection and try again in a moment. Your appointment is not lost.",
  "problem.too_many": "Too many attempts",
  "problem.too_many_help":
    "Wait a few minutes, then try again. If you typed the code, check it letter by letter first.",
  "problem.replaced": "The call goes on in another window",
  "problem.replaced_help": "You joined from another window or device, so this one has left.",
  "problem.unsupported": "This browser cannot make video calls",
  "problem.unsupported_help": "Open the link in a current Chrome, Edge, Firefox or Safari.",
  "problem.unsupported_ios": "Open the link in Safari, and bring your iPhone or iPad up to date.",
  "problem.unexpected": "Something went wrong",
  "problem.unexpected_help": "Try again. If it goes on, call the practice and read out the code.",

  "check.link": "Test my setup",
  "check.title": "Test your setup",
  "check.intro": "Under a minute: camera, microphone, speaker and connection.",
  "check.start": "Start the test",
  "check.permission": "Permission",
  "check.permission_help":
    "Your browser will ask for camera and microphone. Choose Allow. Nothing is sent or stored.",
  "check.permission_asking": "Choose Allow in the question of your browser.",
  "check.camera_help": "Do you see yourself?",
  "check.microphone_help": "Say a few words.",
  "check.microphone_heard": "We hear you.",
  "check.speaker_question": "Play the test sound. Did you hear it?",
  "check.speaker_no_help":
    "Turn up the volume, choose another speaker, or plug in headphones. Then play it again.",
  "check.yes": "Yes, I heard it",
  "check.no": "No",
  "check.connection": "Connection",
  "check.other_devices": "Use other devices",
  "check.ready": "You are ready",
  "check.ready_help": "Everything works. Use this device and this browser for your appointment.",
  "check.state_todo": "Not checked yet",
  "check.state_running": "Being checked",
  "check.state_done": "Works",
  "check.state_trouble": "Needs attention",
} as const satisfies Messages;

export default en;
