import type { Translation } from "../../i18n/catalogue";
import type en from "./en";

const de: Translation<typeof en> = {
  loading: "Ihr Termin wird geladen …",
  "action.try_again": "Erneut versuchen",
  "action.rejoin": "Wieder beitreten",
  "action.close": "Schließen",
  "action.done": "Fertig",
  "action.without": "Ohne weitermachen",

  "summary.provider_time": "{time} bei {name}",

  "prejoin.title": "Bereit für das Gespräch?",
  "prejoin.next_client": "Als Nächstes kommen Sie in den Warteraum, bis Sie eingelassen werden.",
  "prejoin.next_provider": "Sie kommen direkt ins Gespräch.",
  "prejoin.name": "Ihr Name",
  "prejoin.name_help": "Die anderen sehen ihn im Gespräch.",
  "prejoin.name_missing": "Geben Sie Ihren Namen ein, damit die anderen wissen, wer Sie sind.",
  "prejoin.join": "Beitreten",
  "prejoin.failed": "Das Beitreten hat nicht geklappt",
  "prejoin.failed_help": "Prüfen Sie Ihre Verbindung und wählen Sie noch einmal „Beitreten“.",

  "self.label": "Ihre Kamera",
  "self.camera_off": "Ihre Kamera ist aus",
  "self.starting": "Kamera wird gestartet …",

  "device.camera": "Kamera",
  "device.microphone": "Mikrofon",
  "device.speaker": "Lautsprecher",
  "device.camera_number": "Kamera {number}",
  "device.microphone_number": "Mikrofon {number}",
  "device.speaker_number": "Lautsprecher {number}",
  "device.default": "Standard dieses Geräts",
  "device.none": "Keine gefunden",
  "device.choose_camera": "Kamera wählen",
  "device.choose_microphone": "Mikrofon und Lautsprecher wählen",
  "device.test_speaker": "Ton testen",
  "device.test_playing": "Spielt …",
  "device.speak": "Sagen Sie etwas: Die Balken bewegen sich",
  "device.microphone_is_off": "Ihr Mikrofon ist aus",

  "verdict.checking": "Ihre Verbindung wird geprüft …",
  "verdict.good": "Ihre Verbindung ist gut.",
  "verdict.fair": "Ihre Verbindung reicht aus. Das Bild kann weniger scharf sein.",
  "verdict.poor":
    "Ihre Verbindung ist langsam. Gehen Sie näher an den Router oder treten Sie ohne Kamera bei.",
  "verdict.offline": "Keine Verbindung zum Server. Prüfen Sie WLAN oder mobile Daten.",
  "verdict.blocked":
    "Dieses Netz oder dieser Browser sperrt Anrufe. Versuchen Sie ein anderes Netz oder schalten Sie das VPN aus.",

  "trouble.insecure":
    "Diese Seite ist nicht sicher, deshalb gibt der Browser Kamera und Mikrofon nicht frei",
  "trouble.unsupported": "Dieser Browser bietet keinen Zugriff auf Kamera und Mikrofon",
  "trouble.denied.camera": "Die Kamera ist gesperrt",
  "trouble.denied.microphone": "Das Mikrofon ist gesperrt",
  "trouble.denied.both": "Kamera und Mikrofon sind gesperrt",
  "trouble.not_found.camera": "Keine Kamera gefunden",
  "trouble.not_found.microphone": "Kein Mikrofon gefunden",
  "trouble.not_found.both": "Weder Kamera noch Mikrofon gefunden",
  "trouble.in_use.camera": "Die Kamera startet nicht",
  "trouble.in_use.microphone": "Das Mikrofon startet nicht",
  "trouble.in_use.both": "Kamera und Mikrofon starten nicht",
  "trouble.lost.camera": "Die Kamera wurde getrennt",
  "trouble.lost.microphone": "Das Mikrofon wurde getrennt",
  "trouble.lost.both": "Kamera und Mikrofon wurden getrennt",
  "trouble.failed.camera": "Die Kamera funktioniert nicht",
  "trouble.failed.microphone": "Das Mikrofon funktioniert nicht",
  "trouble.failed.both": "Kamera und Mikrofon funktionieren nicht",
  "trouble.join_anyway": "Sie können auch ohne beitreten.",
  "trouble.join_without_camera": "Sie können auch nur mit Ton beitreten.",

  "advice.denied.chrome":
    "Wählen Sie das Symbol links neben der Adresse, erlauben Sie Kamera und Mikrofon und versuchen Sie es erneut.",
  "advice.denied.firefox":
    "Wählen Sie links neben der Adresse das durchgestrichene Kamera- oder Mikrofonsymbol, heben Sie die Sperre auf und versuchen Sie es erneut.",
  "advice.denied.safari":
    "Öffnen Sie im Menü Safari „Einstellungen für diese Website“, stellen Sie Kamera und Mikrofon auf „Erlauben“ und versuchen Sie es erneut.",
  "advice.denied.ios":
    "Öffnen Sie Einstellungen, dann Ihren Browser, erlauben Sie Kamera und Mikrofon und laden Sie diese Seite neu.",
  "advice.denied.android":
    "Wählen Sie das Symbol links neben der Adresse, dann „Berechtigungen“, erlauben Sie Kamera und Mikrofon und versuchen Sie es erneut.",
  "advice.denied.other":
    "Erlauben Sie in den Einstellungen Ihres Browsers Kamera und Mikrofon für diese Seite und versuchen Sie es erneut.",
  "advice.system.macos":
    "Öffnen Sie Systemeinstellungen, „Datenschutz & Sicherheit“, und erlauben Sie Ihrem Browser Kamera und Mikrofon. Starten Sie dann den Browser neu.",
  "advice.system.windows":
    "Öffnen Sie Einstellungen, Datenschutz, Kamera und Mikrofon, und erlauben Sie Desktop-Apps den Zugriff. Versuchen Sie es dann erneut.",
  "advice.system.other":
    "Erlauben Sie Ihrem Browser in den Einstellungen des Geräts Kamera und Mikrofon und versuchen Sie es erneut.",
  "advice.not_found":
    "Schließen Sie das Gerät an oder schalten Sie es ein. Es wird verwendet, sobald es gefunden ist.",
  "advice.in_use":
    "Schließen Sie andere Programme, die es verwenden, etwa einen anderen Anruf. Versuchen Sie es dann erneut.",
  "advice.lost": "Schließen Sie das Gerät wieder an oder wählen Sie ein anderes.",
  "advice.insecure":
    "Öffnen Sie den Link mit https:// am Anfang, so wie er in Ihrer Einladung stand.",
  "advice.unsupported": "Verwenden Sie einen aktuellen Chrome, Edge, Firefox oder Safari.",
  "advice.failed":
    "Ziehen Sie das Gerät ab und stecken Sie es wieder an oder starten Sie den Browser neu. Versuchen Sie es dann erneut.",

  "waiting.title": "Sie sind im Warteraum",
  "waiting.next": "{name} weiß, dass Sie da sind, und lässt Sie ein. Bleiben Sie auf dieser Seite.",
  "waiting.since": "Sie warten seit",
  "waiting.starts": "Geplanter Beginn",
  "waiting.privacy": "Niemand sieht oder hört Sie, bevor Sie eingelassen werden.",
  "waiting.leave": "Warteraum verlassen",

  "early.title": "Sie sind früh dran",
  "early.opens_in": "Sie können beitreten in",
  "early.opens_at": "Ab {time}",
  "early.stay":
    "Sie können diese Seite offen lassen: Es geht von selbst weiter. Prüfen Sie in der Zwischenzeit, ob alles funktioniert.",

  "call.stage": "Personen im Gespräch",
  "call.connecting": "Verbindung wird aufgebaut …",
  "call.alone": "{name} kommt gleich.",
  "call.alone_nobody_waits": "Noch wartet niemand. Hier sehen Sie, wer eintrifft.",
  "call.alone_someone_waits": "Jemand wartet. Lassen Sie die Person in der Liste ein.",

  "tile.guest": "Gast",
  "tile.you": "{name} (Sie)",
  "tile.screen_of": "Bildschirm von {name}",
  "tile.your_screen": "Ihr Bildschirm",
  "tile.muted": "Mikrofon aus",
  "tile.pin": "{name} groß lassen",
  "tile.unpin": "{name} nicht mehr groß lassen",
  "tile.stalled": "Verbindung verloren. Bitte warten …",

  "quality.excellent": "Verbindung: sehr gut",
  "quality.good": "Verbindung: gut",
  "quality.poor": "Verbindung: schwach",
  "quality.lost": "Verbindung: verloren",
  "quality.unknown": "Verbindung: noch nicht gemessen",

  "control.bar": "Steuerung des Gesprächs",
  "control.camera_on": "Kamera einschalten",
  "control.camera_off": "Kamera ausschalten",
  "control.microphone_on": "Mikrofon einschalten",
  "control.microphone_off": "Mikrofon ausschalten",
  "control.flip": "Zwischen vorderer und hinterer Kamera wechseln",
  "control.share": "Bildschirm teilen",
  "control.share_short": "Teilen",
  "control.share_stop": "Bildschirm nicht mehr teilen",
  "control.layout_grid": "Alle gleich groß zeigen",
  "control.layout_speaker": "Sprechende Person groß zeigen",
  "control.layout_short": "Ansicht",
  "control.people": "Personen",
  "control.people_short": "Personen",
  "control.people_waiting": {
    one: "Personen, {count} wartet",
    other: "Personen, {count} warten",
  },
  "control.more": "Mehr",
  "control.devices": "Kamera, Mikrofon, Lautsprecher",
  "control.pip": "Bild im Bild",
  "control.fullscreen": "Vollbild",
  "control.shortcuts": "Tastenkürzel",
  "control.leave": "Verlassen",
  "control.end_for_all": "Für alle beenden",

  "end_for_all.title": "Das Gespräch für alle beenden?",
  "end_for_all.help": "Alle verlassen das Gespräch, und der Termin gilt als abgeschlossen.",
  "end_for_all.failed":
    "Das Beenden hat nicht geklappt. Prüfen Sie Ihre Verbindung und versuchen Sie es erneut.",
  "end_for_all.not_started":
    "Es hat noch nicht begonnen: Außer Ihnen war niemand im Gespräch. Verlassen Sie es oder sagen Sie den Termin ab.",

  "people.in_call": { one: "Im Gespräch ({count})", other: "Im Gespräch ({count})" },
  "people.waiting": "Wartende",
  "people.nobody_waits": "Niemand wartet.",
  "people.waiting_for": "seit {time}",
  "people.admit": "Einlassen",
  "people.decline": "Ablehnen",
  "people.admit_failed":
    "Das hat nicht geklappt. Prüfen Sie Ihre Verbindung und versuchen Sie es erneut.",
  "people.microphone_on": "Mikrofon an",
  "people.camera_on": "Kamera an",
  "people.camera_off": "Kamera aus",

  "timer.elapsed": "Zeit im Gespräch",
  "timer.until": "bis {time}",
  "timer.left": "noch {time}",
  "timer.overtime": "{time} überzogen",

  "shortcut.microphone": "Mikrofon an oder aus",
  "shortcut.camera": "Kamera an oder aus",
  "shortcut.space": "Leertaste",
  "shortcut.talk": "Halten, um bei ausgeschaltetem Mikrofon zu sprechen",
  "shortcut.help": "Diese Liste",
  "shortcut.enabled": "Tastenkürzel verwenden",

  "reconnect.title": "Verbindung wird wiederhergestellt …",
  "reconnect.first_title": "Verbindung wird noch aufgebaut …",
  "reconnect.help": "Das geschieht von selbst. Bitte bleiben Sie hier.",
  "reconnect.next": {
    one: "Nächster Versuch in {count} Sekunde.",
    other: "Nächster Versuch in {count} Sekunden.",
  },
  "reconnect.now": "Jetzt versuchen",

  "failure.media_blocked": "Dieses Netz lässt das Gespräch nicht durch",
  "failure.media_blocked_help":
    "Versuchen Sie ein anderes Netz, etwa mobile Daten, oder schalten Sie das VPN aus. Versuchen Sie es dann erneut.",
  "failure.server_gone": "Der Server ist nicht erreichbar",
  "failure.server_gone_help":
    "Prüfen Sie Ihre Verbindung und treten Sie wieder bei. Wenn es so bleibt, rufen Sie in der Praxis an.",
  "failure.refused": "Sie konnten nicht ins Gespräch gelassen werden",
  "failure.refused_help": "Verlassen Sie das Gespräch und öffnen Sie Ihren Link noch einmal.",

  "audio.blocked": "Der Ton ist aus",
  "audio.blocked_help": "Der Browser braucht einen Klick, bevor er Ton abspielt.",
  "audio.turn_on": "Ton einschalten",

  "share.failed": "Der Bildschirm konnte nicht geteilt werden",
  "share.failed_help":
    "Wählen Sie ein anderes Fenster oder starten Sie den Browser neu und versuchen Sie es erneut.",
  "share.denied_by_system":
    "Erlauben Sie Ihrem Browser in den Einstellungen des Geräts die Bildschirmaufnahme und starten Sie ihn neu.",

  "live.joined": "{name} ist beigetreten",
  "live.left": "{name} hat das Gespräch verlassen",
  "live.reconnecting": "Verbindung verloren, sie wird wiederhergestellt",
  "live.reconnected": "Wieder verbunden",
  "live.share_started": "Sie teilen Ihren Bildschirm",
  "live.share_ended": "Ihr Bildschirm wird nicht mehr geteilt",

  "notice.a_device": "Ein Gerät",
  "notice.added": "{device} wurde angeschlossen",
  "notice.removed": "{device} wurde getrennt",
  "notice.switched": "Jetzt in Verwendung: {device}",
  "notice.use": "Verwenden",

  "end.left": "Sie haben das Gespräch verlassen",
  "end.left_waiting": "Sie haben den Warteraum verlassen",
  "end.left_help": "Aus Versehen? Solange der Termin dauert, können Sie zurückkommen.",
  "end.joined": "Beigetreten",
  "end.left_at": "Verlassen",
  "end.duration": "Dauer",
  "end.ended": "Das Gespräch ist beendet",
  "end.ended_help": "Sie können diese Seite schließen.",
  "end.dashboard": "Zur Übersicht",
  "end.cancelled": "Dieser Termin wurde abgesagt",
  "end.cancelled_help":
    "Näheres steht auf Ihrer Terminseite und in der Mail. Für eine andere Zeit buchen Sie neu.",
  "end.declined": "Sie wurden nicht eingelassen",
  "end.declined_help":
    "{name} kann Sie jetzt nicht empfangen. Rufen Sie in der Praxis an, wenn Sie das für einen Irrtum halten.",
  "end.removed": "Sie wurden aus dem Gespräch genommen",
  "end.removed_help": "Rufen Sie in der Praxis an, wenn Sie das für einen Irrtum halten.",

  "problem.code": "Code: {code}",
  "problem.use_here": "Hier weitersprechen",
  "problem.link_invalid": "Dieser Link funktioniert nicht",
  "problem.link_invalid_help":
    "Öffnen Sie ihn direkt aus der Mail oder kopieren Sie ihn vollständig. Eine neuere Mail kann einen neueren Link enthalten.",
  "problem.enter_code": "Stattdessen den Code eingeben",
  "problem.link_expired": "Dieser Link ist abgelaufen",
  "problem.link_expired_help":
    "Die Zeit für diesen Termin ist vorbei. Buchen Sie neu oder bitten Sie die Praxis um einen neuen Link.",
  "problem.room_full": "Das Gespräch ist voll",
  "problem.room_full_help":
    "Schließen Sie das Gespräch auf Ihren anderen Geräten oder warten Sie, bis jemand geht. Versuchen Sie es dann erneut.",
  "problem.server": "Der Server ist nicht erreichbar",
  "problem.server_help":
    "Prüfen Sie Ihre Verbindung und versuchen Sie es gleich noch einmal. Ihr Termin ist nicht verloren.",
  "problem.too_many": "Zu viele Versuche",
  "problem.too_many_help":
    "Warten Sie ein paar Minuten und versuchen Sie es dann noch einmal. Wenn Sie den Code eingetippt haben, prüfen Sie ihn vorher Zeichen für Zeichen.",
  "problem.replaced": "Das Gespräch läuft in einem anderen Fenster weiter",
  "problem.replaced_help":
    "Sie sind von einem anderen Fenster oder Gerät aus beigetreten, deshalb hat dieses das Gespräch verlassen.",
  "problem.unsupported": "Dieser Browser kann keine Videogespräche führen",
  "problem.unsupported_help":
    "Öffnen Sie den Link in einem aktuellen Chrome, Edge, Firefox oder Safari.",
  "problem.unsupported_ios":
    "Öffnen Sie den Link in Safari und bringen Sie Ihr iPhone oder iPad auf den neuesten Stand.",
  "problem.unexpected": "Etwas ist schiefgegangen",
  "problem.unexpected_help":
    "Versuchen Sie es erneut. Wenn es so bleibt, rufen Sie in der Praxis an und lesen Sie den Code vor.",

  "check.link": "Technik testen",
  "check.title": "Technik testen",
  "check.intro": "Unter einer Minute: Kamera, Mikrofon, Lautsprecher und Verbindung.",
  "check.start": "Test starten",
  "check.permission": "Erlaubnis",
  "check.permission_help":
    "Ihr Browser fragt nach Kamera und Mikrofon. Wählen Sie „Erlauben“. Nichts wird gesendet oder gespeichert.",
  "check.permission_asking": "Wählen Sie „Erlauben“ in der Frage Ihres Browsers.",
  "check.camera_help": "Sehen Sie sich?",
  "check.microphone_help": "Sagen Sie ein paar Worte.",
  "check.microphone_heard": "Wir hören Sie.",
  "check.speaker_question": "Spielen Sie den Testton ab. Haben Sie ihn gehört?",
  "check.speaker_no_help":
    "Stellen Sie lauter, wählen Sie einen anderen Lautsprecher oder schließen Sie Kopfhörer an. Spielen Sie den Ton dann noch einmal ab.",
  "check.yes": "Ja, gehört",
  "check.no": "Nein",
  "check.connection": "Verbindung",
  "check.other_devices": "Andere Geräte verwenden",
  "check.ready": "Sie sind bereit",
  "check.ready_help":
    "Alles funktioniert. Verwenden Sie für Ihren Termin dieses Gerät und diesen Browser.",
  "check.state_todo": "Noch nicht geprüft",
  "check.state_running": "Wird geprüft",
  "check.state_done": "Funktioniert",
  "check.state_trouble": "Braucht Aufmerksamkeit",
};

export default de;
