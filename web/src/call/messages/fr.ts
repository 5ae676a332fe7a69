import type { Translation } from "../../i18n/catalogue";
import type en from "./en";

const fr: Translation<typeof en> = {
  loading: "Chargement de votre rendez-vous…",
  "action.try_again": "Réessayer",
  "action.rejoin": "Rejoindre à nouveau",
  "action.close": "Fermer",
  "action.done": "Terminé",
  "action.without": "Continuer sans",

  "summary.provider_time": "{time} pour {name}",

  "prejoin.title": "On y va ?",
  "prejoin.next_client":
    "Vous serez d’abord en salle d’attente, jusqu’à ce qu’on vous fasse entrer.",
  "prejoin.next_provider": "Vous entrez directement dans l’appel.",
  "prejoin.name": "Votre nom",
  "prejoin.name_help": "Les autres le voient pendant l’appel.",
  "prejoin.name_missing": "Saisissez votre nom pour que les autres sachent qui vous êtes.",
  "prejoin.join": "Rejoindre",
  "prejoin.failed": "Impossible de rejoindre l’appel",
  "prejoin.failed_help": "Vérifiez votre connexion, puis choisissez à nouveau Rejoindre.",

  "self.label": "Votre caméra",
  "self.camera_off": "Votre caméra est éteinte",
  "self.starting": "Démarrage de la caméra…",

  "device.camera": "Caméra",
  "device.microphone": "Micro",
  "device.speaker": "Haut-parleur",
  "device.camera_number": "Caméra {number}",
  "device.microphone_number": "Micro {number}",
  "device.speaker_number": "Haut-parleur {number}",
  "device.default": "Par défaut sur cet appareil",
  "device.none": "Aucun appareil trouvé",
  "device.choose_camera": "Choisir la caméra",
  "device.choose_microphone": "Choisir le micro et le haut-parleur",
  "device.test_speaker": "Tester le son",
  "device.test_playing": "Lecture…",
  "device.speak": "Dites quelque chose : les barres bougent",
  "device.microphone_is_off": "Votre micro est coupé",

  "verdict.checking": "Vérification de votre connexion…",
  "verdict.good": "Votre connexion est bonne.",
  "verdict.fair": "Votre connexion suffit. L’image peut être moins nette.",
  "verdict.poor":
    "Votre connexion est lente. Rapprochez-vous de la box ou rejoignez l’appel sans caméra.",
  "verdict.offline": "Pas de connexion au serveur. Vérifiez le Wi-Fi ou les données mobiles.",
  "verdict.blocked":
    "Ce réseau ou ce navigateur bloque les appels. Essayez un autre réseau ou désactivez le VPN.",

  "trouble.insecure": "Cette page n’est pas sécurisée : le navigateur masque la caméra et le micro",
  "trouble.unsupported": "Ce navigateur ne donne pas accès à la caméra et au micro",
  "trouble.denied.camera": "La caméra est bloquée",
  "trouble.denied.microphone": "Le micro est bloqué",
  "trouble.denied.both": "La caméra et le micro sont bloqués",
  "trouble.not_found.camera": "Aucune caméra trouvée",
  "trouble.not_found.microphone": "Aucun micro trouvé",
  "trouble.not_found.both": "Ni caméra ni micro trouvés",
  "trouble.in_use.camera": "La caméra ne démarre pas",
  "trouble.in_use.microphone": "Le micro ne démarre pas",
  "trouble.in_use.both": "La caméra et le micro ne démarrent pas",
  "trouble.lost.camera": "La caméra a été débranchée",
  "trouble.lost.microphone": "Le micro a été débranché",
  "trouble.lost.both": "La caméra et le micro ont été débranchés",
  "trouble.failed.camera": "La caméra ne fonctionne pas",
  "trouble.failed.microphone": "Le micro ne fonctionne pas",
  "trouble.failed.both": "La caméra et le micro ne fonctionnent pas",
  "trouble.join_anyway": "Vous pouvez aussi rejoindre l’appel sans.",
  "trouble.join_without_camera": "Vous pouvez aussi rejoindre l’appel avec le son seul.",

  "advice.denied.chrome":
    "Choisissez l’icône à gauche de l’adresse, autorisez la caméra et le micro, puis réessayez.",
  "advice.denied.firefox":
    "Choisissez la caméra ou le micro barré à gauche de l’adresse, retirez le blocage, puis réessayez.",
  "advice.denied.safari":
    "Dans le menu Safari, ouvrez Réglages pour ce site web, mettez la caméra et le micro sur Autoriser, puis réessayez.",
  "advice.denied.ios":
    "Ouvrez Réglages, puis votre navigateur, autorisez Caméra et Micro, et rechargez cette page.",
  "advice.denied.android":
    "Choisissez l’icône à gauche de l’adresse, puis Autorisations, autorisez la caméra et le micro, et réessayez.",
  "advice.denied.other":
    "Autorisez la caméra et le micro pour cette page dans les réglages de votre navigateur, puis réessayez.",
  "advice.system.macos":
    "Ouvrez Réglages Système, Confidentialité et sécurité, et autorisez votre navigateur sous Caméra et Micro. Redémarrez ensuite le navigateur.",
  "advice.system.windows":
    "Ouvrez Paramètres, Confidentialité, Caméra et Microphone, et autorisez l’accès aux applications de bureau. Puis réessayez.",
  "advice.system.other":
    "Autorisez votre navigateur à utiliser la caméra et le micro dans les réglages de l’appareil, puis réessayez.",
  "advice.not_found": "Branchez l’appareil ou allumez-le. Il sera utilisé dès qu’il sera trouvé.",
  "advice.in_use":
    "Fermez les autres programmes qui l’utilisent, par exemple un autre appel. Puis réessayez.",
  "advice.lost": "Rebranchez l’appareil ou choisissez-en un autre.",
  "advice.insecure":
    "Ouvrez le lien avec https:// au début, comme il figurait dans votre invitation.",
  "advice.unsupported": "Utilisez une version récente de Chrome, Edge, Firefox ou Safari.",
  "advice.failed":
    "Débranchez l’appareil et rebranchez-le, ou redémarrez le navigateur. Puis réessayez.",

  "waiting.title": "Vous êtes en salle d’attente",
  "waiting.next": "{name} sait que vous êtes là et vous fera entrer. Restez sur cette page.",
  "waiting.since": "Vous attendez depuis",
  "waiting.starts": "Début prévu",
  "waiting.privacy": "Personne ne vous voit ni ne vous entend avant que l’on vous fasse entrer.",
  "waiting.leave": "Quitter la salle d’attente",

  "early.title": "Vous êtes en avance",
  "early.opens_in": "Vous pourrez rejoindre l’appel dans",
  "early.opens_at": "À partir de : {time}",
  "early.stay":
    "Vous pouvez laisser cette page ouverte : elle avance toute seule. En attendant, vérifiez que tout fonctionne.",

  "call.stage": "Personnes dans l’appel",
  "call.connecting": "Connexion…",
  "call.alone": "{name} arrive bientôt.",
  "call.alone_nobody_waits": "Personne n’attend encore. Vous verrez ici qui arrive.",
  "call.alone_someone_waits": "Quelqu’un attend. Faites entrer cette personne depuis la liste.",

  "tile.guest": "Invité",
  "tile.you": "{name} (vous)",
  "tile.screen_of": "Écran de {name}",
  "tile.your_screen": "Votre écran",
  "tile.muted": "Micro coupé",
  "tile.pin": "Garder {name} en grand",
  "tile.unpin": "Ne plus garder {name} en grand",
  "tile.stalled": "Connexion perdue. Patientez…",

  "quality.excellent": "Connexion : très bonne",
  "quality.good": "Connexion : bonne",
  "quality.poor": "Connexion : faible",
  "quality.lost": "Connexion : perdue",
  "quality.unknown": "Connexion : pas encore mesurée",

  "control.bar": "Commandes de l’appel",
  "control.camera_on": "Allumer la caméra",
  "control.camera_off": "Éteindre la caméra",
  "control.microphone_on": "Activer le micro",
  "control.microphone_off": "Couper le micro",
  "control.flip": "Passer de la caméra avant à la caméra arrière",
  "control.share": "Partager votre écran",
  "control.share_short": "Partager",
  "control.share_stop": "Arrêter de partager votre écran",
  "control.layout_grid": "Montrer tout le monde à la même taille",
  "control.layout_speaker": "Montrer en grand la personne qui parle",
  "control.layout_short": "Affichage",
  "control.people": "Participants",
  "control.people_short": "Participants",
  "control.people_waiting": {
    one: "Participants, {count} en attente",
    other: "Participants, {count} en attente",
  },
  "control.more": "Plus",
  "control.devices": "Caméra, micro, haut-parleur",
  "control.pip": "Image dans l’image",
  "control.fullscreen": "Plein écran",
  "control.shortcuts": "Raccourcis clavier",
  "control.leave": "Quitter",
  "control.end_for_all": "Terminer pour tous",

  "end_for_all.title": "Terminer la consultation pour tous ?",
  "end_for_all.help":
    "Tout le monde quitte l’appel, et la consultation est marquée comme terminée.",
  "end_for_all.failed": "Impossible de terminer. Vérifiez votre connexion et réessayez.",
  "end_for_all.not_started":
    "Elle n’a pas commencé : personne d’autre n’a rejoint l’appel. Quittez plutôt l’appel ou annulez le rendez-vous.",

  "people.in_call": { one: "Dans l’appel ({count})", other: "Dans l’appel ({count})" },
  "people.waiting": "En attente",
  "people.nobody_waits": "Personne n’attend.",
  "people.waiting_for": "depuis {time}",
  "people.admit": "Faire entrer",
  "people.decline": "Refuser",
  "people.admit_failed": "Cela n’a pas marché. Vérifiez votre connexion et réessayez.",
  "people.microphone_on": "Micro activé",
  "people.camera_on": "Caméra allumée",
  "people.camera_off": "Caméra éteinte",

  "timer.elapsed": "Temps passé dans l’appel",
  "timer.until": "jusqu’à {time}",
  "timer.left": "encore {time}",
  "timer.overtime": "{time} de dépassement",

  "shortcut.microphone": "Activer ou couper le micro",
  "shortcut.camera": "Allumer ou éteindre la caméra",
  "shortcut.space": "Espace",
  "shortcut.talk": "Maintenir pour parler quand le micro est coupé",
  "shortcut.help": "Cette liste",
  "shortcut.enabled": "Utiliser les raccourcis clavier",

  "reconnect.title": "Reconnexion…",
  "reconnect.first_title": "Connexion toujours en cours…",
  "reconnect.help": "Cela se fait tout seul. Restez ici.",
  "reconnect.next": {
    one: "Prochain essai dans {count} seconde.",
    other: "Prochain essai dans {count} secondes.",
  },
  "reconnect.now": "Essayer maintenant",

  "failure.media_blocked": "Ce réseau ne laisse pas passer l’appel",
  "failure.media_blocked_help":
    "Essayez un autre réseau, par exemple les données mobiles, ou désactivez le VPN. Puis réessayez.",
  "failure.server_gone": "Le serveur est injoignable",
  "failure.server_gone_help":
    "Vérifiez votre connexion et rejoignez à nouveau l’appel. Si cela continue, appelez le cabinet.",
  "failure.refused": "Impossible de vous faire entrer dans l’appel",
  "failure.refused_help": "Quittez l’appel, puis ouvrez à nouveau votre lien.",

  "audio.blocked": "Le son est coupé",
  "audio.blocked_help": "Le navigateur demande un clic avant de jouer le son.",
  "audio.turn_on": "Activer le son",

  "share.failed": "L’écran n’a pas pu être partagé",
  "share.failed_help": "Choisissez une autre fenêtre, ou redémarrez le navigateur et réessayez.",
  "share.denied_by_system":
    "Autorisez votre navigateur à enregistrer l’écran dans les réglages de l’appareil, puis redémarrez-le.",

  "live.joined": "{name} a rejoint l’appel",
  "live.left": "{name} a quitté l’appel",
  "live.reconnecting": "Connexion perdue, reconnexion",
  "live.reconnected": "De nouveau connecté",
  "live.share_started": "Vous partagez votre écran",
  "live.share_ended": "Votre écran n’est plus partagé",

  "notice.a_device": "Un appareil",
  "notice.added": "{device} : branché",
  "notice.removed": "{device} : débranché",
  "notice.switched": "Appareil utilisé : {device}",
  "notice.use": "Utiliser",

  "end.left": "Vous avez quitté l’appel",
  "end.left_waiting": "Vous avez quitté la salle d’attente",
  "end.left_help": "Par erreur ? Vous pouvez revenir tant que le rendez-vous dure.",
  "end.joined": "Arrivée",
  "end.left_at": "Départ",
  "end.duration": "Durée",
  "end.ended": "La consultation est terminée",
  "end.ended_help": "Vous pouvez fermer cette page.",
  "end.dashboard": "Vers le tableau de bord",
  "end.cancelled": "Ce rendez-vous a été annulé",
  "end.cancelled_help":
    "La page de votre rendez-vous et le courriel vous en disent plus. Pour un autre moment, réservez à nouveau.",
  "end.declined": "On ne vous a pas fait entrer",
  "end.declined_help":
    "{name} ne peut pas vous recevoir maintenant. Appelez le cabinet si vous pensez que c’est une erreur.",
  "end.removed": "Vous avez été retiré de l’appel",
  "end.removed_help": "Appelez le cabinet si vous pensez que c’est une erreur.",

  "problem.code": "Code : {code}",
  "problem.use_here": "Continuer l’appel ici",
  "problem.link_invalid": "Ce lien ne fonctionne pas",
  "problem.link_invalid_help":
    "Ouvrez-le directement depuis le courriel ou copiez-le en entier. Un courriel plus récent peut contenir un lien plus récent.",
  "problem.enter_code": "Saisir plutôt le code",
  "problem.link_expired": "Ce lien a expiré",
  "problem.link_expired_help":
    "Le temps de ce rendez-vous est passé. Réservez à nouveau ou demandez un nouveau lien au cabinet.",
  "problem.room_full": "L’appel est complet",
  "problem.room_full_help":
    "Fermez l’appel sur vos autres appareils ou attendez que quelqu’un parte. Puis réessayez.",
  "problem.server": "Le serveur est injoignable",
  "problem.server_help":
    "Vérifiez votre connexion et réessayez dans un instant. Votre rendez-vous n’est pas perdu.",
  "problem.too_many": "Trop de tentatives",
  "problem.too_many_help":
    "Attendez quelques minutes, puis réessayez. Si vous avez saisi le code, vérifiez-le d’abord lettre par lettre.",
  "problem.replaced": "L’appel continue dans une autre fenêtre",
  "problem.replaced_help":
    "Vous avez rejoint l’appel depuis une autre fenêtre ou un autre appareil : celle-ci l’a donc quitté.",
  "problem.unsupported": "Ce navigateur ne permet pas les appels vidéo",
  "problem.unsupported_help":
    "Ouvrez le lien dans une version récente de Chrome, Edge, Firefox ou Safari.",
  "problem.unsupported_ios": "Ouvrez le lien dans Safari et mettez à jour votre iPhone ou iPad.",
  "problem.unexpected": "Quelque chose s’est mal passé",
  "problem.unexpected_help": "Réessayez. Si cela continue, appelez le cabinet et lisez le code.",

  "check.link": "Tester mon matériel",
  "check.title": "Tester votre matériel",
  "check.intro": "Moins d’une minute : caméra, micro, haut-parleur et connexion.",
  "check.start": "Commencer le test",
  "check.permission": "Autorisation",
  "check.permission_help":
    "Votre navigateur va demander la caméra et le micro. Choisissez Autoriser. Rien n’est envoyé ni enregistré.",
  "check.permission_asking": "Choisissez Autoriser dans la question de votre navigateur.",
  "check.camera_help": "Vous voyez-vous ?",
  "check.microphone_help": "Dites quelques mots.",
  "check.microphone_heard": "Nous vous entendons.",
  "check.speaker_question": "Jouez le son de test. L’avez-vous entendu ?",
  "check.speaker_no_help":
    "Montez le volume, choisissez un autre haut-parleur ou branchez un casque. Puis jouez à nouveau le son.",
  "check.yes": "Oui, je l’ai entendu",
  "check.no": "Non",
  "check.connection": "Connexion",
  "check.other_devices": "Utiliser d’autres appareils",
  "check.ready": "Vous êtes prêt",
  "check.ready_help":
    "Tout fonctionne. Utilisez cet appareil et ce navigateur pour votre rendez-vous.",
  "check.state_todo": "Pas encore vérifié",
  "check.state_running": "Vérification en cours",
  "check.state_done": "Fonctionne",
  "check.state_trouble": "Demande votre attention",
};

export default fr;
