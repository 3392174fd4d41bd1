import { queryFleet } from './query-fleet.ts'

/** One point of the query language: a condition, and the twins of `queryFleet` that it selects. */
export interface QueryCase {
  readonly point: string
  readonly condition: string
  /** Their ids, in order. */
  readonly selects: readonly string[]
  /** It names a member that no twin has: only a query may. */
  readonly isOfQueries: boolean
}

/** A text that is no condition. */
export interface RefusedCase {
  readonly point: string
  readonly condition: string
  /** The column of the error on line 1, counted with `SELECT * FROM devices WHERE ` before the text. */
  readonly column: number
}

const everyone = queryFleet.map(({ deviceId }) => deviceId)
const tagged = everyone.filter((id) => id !== 'bus-02')
const inDepots = tagged.filter((id) => id !== 'museum-1')

/** A job's condition alone: a query has none of its own behind WHERE. */
export const wholeFleet: QueryCase = {
  point: 'all of the fleet',
  condition: '*',
  selects: everyone,
  isOfQueries: false,
}

export const queryCases: readonly QueryCase[] = [
  // Members, and missing members
  selects('one id', "deviceId = 'tram-01'", ['tram-01']),
  selects('an id is itself in one letter case only', "deviceId = 'TRAM-01'", []),
  selects('the id on the other side', "'tram-01' = deviceId", ['tram-01']),
  selects('ids of a list', "deviceId IN ['tram-01','bus-02']", ['bus-02', 'tram-01']),
  selects('a list of one', 'deviceId IN ["bus-02"]', ['bus-02']),
  selects(
    'ids that a list lacks',
    "deviceId NIN ['tram-01','tram-02','tram-03']",
    everyone.filter((id) => !id.startsWith('tram')),
  ),
  selects('an id with a colon', "deviceId = 'stop:K1'", ['stop:K1']),
  selects('each device has an id', 'is_defined(deviceId)', everyone),
  selects('a member that the hub gives, in another letter case', 'IS_DEFINED(DEVICEID)', everyone),
  selects('the source in front of a member', "Devices.deviceId = 'bus-02'", ['bus-02']),
  selects('a function in capitals', 'IS_DEFINED(tags.driver)', ['bus-01', 'bus-03', 'tram-01', 'tram-02']),
  selects('a device without tags has no such member', 'is_defined(tags)', tagged),
  selects('a tag', "tags.depot = 'harbour'", ['box-01', 'tram-01', 'tram-02']),
  selects('a tag in quotes', "tags['depot'] = 'quay'", ['stop:K1', 'stop:K2']),
  selects('a tag in another letter case is another tag', "tags.Depot = 'harbour'", []),
  selects('the section of tags in another letter case', "TAGS.depot = 'harbour'", ['box-01', 'tram-01', 'tram-02']),
  selects('sections of properties in another letter case', 'PROPERTIES.Reported.load = 81', ['tram-01']),
  selects('a property in another letter case is another property', 'properties.reported.Load = 81', []),
  ofQueries('a root that no twin has', 'property.reported.load = 81 OR is_defined(depot)', []),
  selects('a member of an object', "tags.kit.series = 'beta'", ['stop:K1', 'tram-01']),
  selects('members called like words of the language', "tags.from = 'yes' OR tags.and.or.not = 1", [
    'museum-1',
    'stop:K1',
  ]),
  selects('a name that is none, in quotes', "tags['bay-no'] = 12", ['bus-03']),
  selects('a name that is none, in double brackets', 'tags.[[bay-no]] = 12', ['bus-03']),
  ofQueries('without them it is a subtraction', 'tags.bay-no = 12', []),
  selects('a name with letters of other alphabets', "tags['Größe'] = 'süß'", ['museum-1']),
  selects('a name without a letter', "tags['🚋'] = '🚋'", ['museum-1']),
  selects('a name with an apostrophe', 'tags["horse\'s"] = "say \\"whoa\\""', ['museum-1']),
  selects('an element of a list', "tags.marks[0] = 'late'", ['bus-03']),
  selects('behind the end of a list', "tags.marks[5] = 'late'", []),
  selects('a list has no names', "tags.marks['0'] = 'late' OR tags.marks.length = 2", []),
  selects('an object has no elements', "tags.kit[0] = 'beta' OR tags.kit['0'] = 'beta'", []),
  selects('a text has no elements', "tags.depot[0] = 'h' OR is_defined(tags.depot[0])", []),
  selects('lists in lists', 'tags.seats[0][1].row = 2 AND tags.seats[3] = "plush"', ['museum-1']),
  selects('an element that is null', 'tags.seats[2] = null AND is_defined(tags.seats[2])', ['museum-1']),
  selects('a way through a scalar leads nowhere', 'is_defined(tags.kit.series)', [
    'bus-01',
    'stop:K1',
    'tram-01',
    'tram-02',
  ]),
  selects('an object that is empty is there', 'is_defined(tags.crew) AND NOT is_defined(tags.crew.driver)', [
    'museum-1',
  ]),
  selects('names of JavaScript lead nowhere', 'is_defined(tags.constructor) OR is_defined(tags.__proto__)', []),

  // Members that the hub gives
  selects('status and connection', "status = 'enabled' AND connectionState = 'Disconnected'", [
    'bus-02',
    'museum-1',
    'stop:K2',
    'tram-02',
  ]),
  selects('words of the hub have one letter case', "connectionState = 'connected' OR status = 'Enabled'", []),
  selects('a reason is there when it was given', 'is_defined(statusReason)', ['museum-1', 'tram-03']),
  selects('what is there may be empty', "statusReason = ''", ['museum-1']),
  selects('an Edge device', 'capabilities.iotEdge = true', ['box-01']),
  selects('no Edge devices', 'NOT capabilities.iotEdge AND deviceId > "stop:"', [
    'stop:K1',
    'stop:K2',
    'tram-01',
    'tram-02',
    'tram-03',
  ]),
  selects('a number of the hub', 'version > 12', ['bus-01', 'tram-01']),
  selects('a number that is always 0', 'cloudToDeviceMessageCount > 0', []),
  selects('how a device signs in', "authenticationType = 'selfSigned'", ['stop:K1']),
  selects('a thumbprint', "x509Thumbprint.primaryThumbprint = '9F00A10000000000000000000000000000000000'", ['stop:K1']),
  selects(
    'a thumbprint that is null is there',
    'x509Thumbprint.primaryThumbprint = null',
    everyone.filter((id) => id !== 'stop:K1'),
  ),
  selects('a model', "STARTSWITH(modelId, 'dtmi:trams:')", ['museum-1']),
  selects('a version behind a dot', 'properties.desired.$version > 3', ['bus-01', 'stop:K1', 'tram-01']),
  selects('a version in quotes', "properties.reported['$version'] = 3", [
    'Bus-04',
    'box-01',
    'museum-1',
    'stop:K2',
    'tram-03',
  ]),

  // Equality
  selects('not equal', "tags.depot <> 'harbour'", ['Bus-04', 'bus-01', 'bus-03', 'stop:K1', 'stop:K2', 'tram-03']),
  selects('not equal, spelt another way', "tags.depot != 'harbour' AND tags.line != 7", ['Bus-04', 'tram-03']),
  selects('the number is not the text', 'tags.line = 7', ['bus-01', 'tram-02']),
  selects('the text is not the number', "tags.line = '7'", ['tram-03']),
  selects('a negative number', 'tags.line = -2', ['Bus-04']),
  selects('a number with an exponent', 'properties.reported.load = 1e2', ['bus-01']),
  selects('a hexadecimal number', 'tags.line = 0x9', ['box-01']),
  selects('a fraction is the same with more zeros', 'properties.reported.load = 62.50', ['Bus-04']),
  selects('the borders of doubles', 'properties.reported.least = 5e-324 AND properties.reported.most = 1.7e308', [
    'museum-1',
  ]),
  selects('a large integer, to the last digit', 'properties.reported.exact > 4503599627370494', ['museum-1']),
  selects('a text among numbers', "properties.reported.load = 'crush'", ['bus-03']),
  selects('a truth', 'tags.spare = true', ['box-01']),
  selects('a truth in another letter case', 'tags.spare = TRUE', ['box-01']),
  selects('a truth is no text and no number', "tags.spare = 'true' OR tags.spare = 1", []),
  selects('a scalar where others have an object', "tags.kit = 'vintage'", ['stop:K2']),
  selects('an object is not different from a scalar either', "tags.kit != 'none'", ['stop:K2']),
  selects('what is not there is not null', 'tags.missing = null', []),
  selects('what is there is not null', 'tags.depot != null', inDepots),
  selects('nothing equals undefined', 'tags.missing = undefined OR tags.depot != undefined', []),
  selects('one property and another', 'properties.desired.heating = properties.reported.heating', [
    'bus-01',
    'tram-01',
  ]),
  selects('one property unlike another, where both are', 'properties.desired.heating != properties.reported.heating', [
    'tram-02',
  ]),
  selects('sections do not compare', 'properties.desired = properties.reported', []),
  selects('a section is not even itself', 'tags.kit = tags.kit AND tags.kit != tags.kit', []),
  selects('a truth against a truth', "(tags.line = 7) = (tags.depot = 'meadow')", [
    'Bus-04',
    'box-01',
    'bus-01',
    'tram-01',
  ]),

  // Order
  selects('numbers only', 'tags.line >= 7', ['box-01', 'bus-01', 'tram-02']),
  selects('texts only', "tags.line > '1'", ['tram-03']),
  selects('capitals come first', "tags.depot < 'a'", ['Bus-04', 'bus-03']),
  selects('as bytes, not as people sort', "tags['Größe'] > 'sz'", ['museum-1']),
  selects('code points above U+FFFF come last', "tags['🚋'] > '\\uffee'", ['museum-1']),
  selects('below a number, where others have texts', 'properties.reported.load < 50', [
    'stop:K2',
    'tram-02',
    'tram-03',
  ]),
  selects('between fractions', 'properties.reported.load > 62.4 AND properties.reported.load < 62.6', ['Bus-04']),
  selects('truths have no order', 'tags.spare > false OR tags.spare <= true', []),
  selects('null has no order', 'tags.seats[2] <= null', []),

  // Texts
  selects('an apostrophe', "tags.driver = 'd\\'arcy'", ['bus-03']),
  selects('an apostrophe between quotes', 'tags.driver = "d\'arcy"', ['bus-03']),
  selects('a character by its number', "tags.driver = '\\u006cena'", ['tram-01']),
  selects('a character by two halves', "tags['🚋'] = '\\ud83d\\ude8b'", ['museum-1']),
  selects('backslashes', "tags.path = 'C:\\\\wagons\\\\1'", ['museum-1']),
  selects('a space', "tags.depot = 'Old Yard'", ['bus-03']),
  selects('nothing in it', "tags.empty = ''", ['museum-1']),
  selects('signs that LIKE would take for others', "tags.wild = '100%_' OR tags.depot = 'h%'", ['museum-1']),
  selects('a character that no text can have', "tags.depot = 'quay\\u0000' OR tags.depot IN ['\\u0000']", []),

  // Lists
  selects('numbers of a list', 'tags.line IN [4, 9]', ['box-01', 'tram-01']),
  selects('not the numbers of a list, where there is one', 'tags.line NIN [4, 7]', ['Bus-04', 'box-01', 'tram-03']),
  selects('kinds mixed in a list', "tags.line IN ['7', -2, true, null]", ['Bus-04', 'tram-03']),
  selects('null in a list', 'x509Thumbprint.primaryThumbprint NIN [null]', ['stop:K1']),
  selects('an object is in no list and outside of none', "tags.kit IN ['vintage', 'x'] OR tags.kit NIN ['x']", [
    'stop:K2',
  ]),
  selects(
    'neither in a list nor outside, when it is not there',
    'NOT tags.missing IN [1] OR NOT tags.missing NIN [1]',
    [],
  ),

  // Arithmetic
  selects('a remainder', 'properties.desired.heating % 40 = 0', [
    'bus-01',
    'bus-03',
    'stop:K1',
    'stop:K2',
    'tram-02',
    'tram-03',
  ]),
  selects('a remainder keeps the sign of what is divided', 'tags.line % 3 = -2 AND tags.line % -3 < 0', ['Bus-04']),
  selects('a remainder of decimals', 'properties.reported.tenths % properties.desired.tenth = 0', ['museum-1']),
  selects('a division by nothing', 'properties.desired.heating / 0 > 1 OR properties.desired.heating % 0 >= 0', []),
  selects('a sum of two numbers', '(properties.desired.heating + properties.reported.load) > 130', [
    'bus-01',
    'stop:K1',
  ]),
  selects('a sum without parentheses', '130 < properties.desired.heating + properties.reported.load', [
    'bus-01',
    'stop:K1',
  ]),
  selects('products come before sums', 'tags.line + 2 * 10 = 24', ['tram-01']),
  selects('from left to right', '20 - tags.line - 2 = 11 AND 63 / tags.line / 3 = 3', ['bus-01', 'tram-02']),
  selects('a minus in front of a member', '-tags.line = 2', ['Bus-04']),
  selects('sums are of doubles', 'properties.desired.tenth + 0.2 != properties.reported.tenths', ['museum-1']),
  selects('texts are no summands', "tags.depot + 'x' = 'quayx' OR tags.depot + 1 > 0", []),
  selects('what no double could hold is undefined', 'properties.reported.most * 10 > 1', []),

  // Truth
  selects('a property alone', 'properties.reported.doorsOk', ['stop:K1', 'tram-01', 'tram-03']),
  selects('NOT of a property alone', 'NOT properties.reported.doorsOk', ['stop:K2', 'tram-02']),
  selects('a text is not true', 'tags.depot', []),
  selects('NOT of a text', 'NOT tags.driver', ['bus-01', 'bus-03', 'tram-01', 'tram-02']),
  selects('NOT binds looser than =', "NOT tags.depot = 'harbour'", [
    'Bus-04',
    'bus-01',
    'bus-03',
    'stop:K1',
    'stop:K2',
    'tram-03',
  ]),
  selects('NOT twice', 'NOT NOT tags.spare = true', ['box-01']),
  selects('NOT binds tighter than AND', "NOT tags.line = 7 AND tags.depot = 'meadow'", ['tram-03']),
  selects('AND binds tighter than OR', "tags.depot = 'quay' OR tags.depot = 'harbour' AND tags.line = 4", [
    'stop:K1',
    'stop:K2',
    'tram-01',
  ]),
  selects('parentheses', "(tags.depot = 'harbour' OR tags.depot = 'meadow') AND tags.line = 7", ['bus-01', 'tram-02']),
  selects('undefined OR true', "tags.missing = 'x' OR tags.depot = 'quay'", ['stop:K1', 'stop:K2']),
  selects('undefined AND false is false', "NOT (tags.missing = 'x' AND tags.depot = 'quay')", [
    'Bus-04',
    'box-01',
    'bus-01',
    'bus-03',
    'tram-01',
    'tram-02',
    'tram-03',
  ]),
  selects('undefined AND true is undefined', "NOT (tags.missing = 'x' AND 1 = 1)", []),
  selects('both of a way down', "properties.reported.radio.kind = 'tetra'", ['bus-01', 'stop:K1', 'tram-01']),
  selects(
    'a list and an order together',
    "properties.reported.radio.kind IN ['tetra','gsm'] AND properties.reported.radio.dbm > -75",
    ['stop:K1', 'tram-01', 'tram-02'],
  ),
  selects('a text alone selects none', "'harbour'", []),
  selects('a condition about nothing', '1 = 1', everyone),
  selects('a constant', 'true', everyone),
  selects('constants that are not true', 'false OR null OR undefined OR 1', []),

  // Instants
  selects('since an instant', "lastActivityTime >= '2026-04-10T07:45:00Z'", [
    'Bus-04',
    'box-01',
    'bus-01',
    'bus-03',
    'stop:K1',
  ]),
  selects(
    'fractions count',
    "lastActivityTime > '2026-04-10T07:45:00.499Z' AND lastActivityTime < '2026-04-10T08:00'",
    ['bus-03'],
  ),
  selects('beside what is no instant it is a text', "lastActivityTime > '2026-04-10T08' AND lastActivityTime < 'x'", [
    'Bus-04',
    'box-01',
    'stop:K1',
  ]),
  selects('before an instant elsewhere', "lastActivityTime < '2026-04-10T09:00:00+02:00'", [
    'bus-02',
    'museum-1',
    'stop:K2',
    'tram-01',
    'tram-02',
    'tram-03',
  ]),
  selects('the same instant, elsewhere', "lastActivityTime = '2026-04-10T09:45:00.5+02:00'", ['bus-03']),
  selects('instants of a list', "lastActivityTime IN ['2026-04-11', '2026-04-10T06:15Z']", ['Bus-04', 'tram-01']),
  selects('never', "lastActivityTime = '0001-01-01'", ['bus-02', 'museum-1', 'stop:K2', 'tram-03']),
  selects('an instant of the identity', "statusUpdateTime > '2026-04-08'", ['tram-03']),
  selects('an instant is a text, too', "STARTSWITH(lastActivityTime, '2026-04-11T')", ['Bus-04']),
  selects('a tag is never an instant', "tags.seen = '2026-04-10T07:45:00Z'", []),

  // Functions
  selects('the beginning of an id', "STARTSWITH(deviceId, 'tram')", ['tram-01', 'tram-02', 'tram-03']),
  selects('the end of a text', "endswith(properties.reported.soft, '.0')", [
    'Bus-04',
    'box-01',
    'stop:K1',
    'tram-01',
    'tram-03',
  ]),
  selects('the beginning of a number is undefined', "STARTSWITH(tags.line, '7')", ['tram-03']),
  selects('not even NOT finds it', "NOT STARTSWITH(tags.line, '7')", []),
  selects('every text begins and ends with nothing', "STARTSWITH(tags.driver, '') AND ENDSWITH(tags.driver, '')", [
    'bus-01',
    'bus-03',
    'tram-01',
    'tram-02',
  ]),
  selects(
    'signs that LIKE would take for others, in a function',
    "STARTSWITH(tags.wild, '100%') AND NOT STARTSWITH(tags.wild, '1%')",
    ['museum-1'],
  ),
  selects('texts', 'is_string(tags.line)', ['tram-03']),
  selects('numbers', 'IS_NUMBER(tags.line)', ['Bus-04', 'box-01', 'bus-01', 'tram-01', 'tram-02']),
  selects('objects', 'is_object(tags.kit)', ['bus-01', 'stop:K1', 'tram-01', 'tram-02']),
  selects('lists', 'is_array(tags.marks) OR is_array(tags.seats)', ['bus-03', 'museum-1']),
  selects('truths', 'is_bool(tags.spare)', ['box-01']),
  selects('nulls', 'is_null(tags.seats[2])', ['museum-1']),
  selects('scalars', 'is_primitive(tags.kit)', ['stop:K2']),
  selects(
    'there, and none of these',
    "is_defined(properties.desired.profile) AND properties.desired.profile NIN ['winter']",
    ['Bus-04', 'stop:K1'],
  ),
]

export const refusedCases: readonly RefusedCase[] = [
  refused('the word that stands in front of it', "WHERE tags.depot = 'quay'", 29),
  refused('a whole query', 'SELECT * FROM devices', 29),
  refused('a text without an end', "tags.depot = 'quay", 42),
  refused('LIKE', "tags.depot LIKE 'q%'", 40),
  refused('BETWEEN', 'tags.line BETWEEN 1 AND 2', 39),
  refused('NOT IN', 'tags.line NOT IN [1]', 39),
  refused('a list in parentheses', 'tags.line IN (1,2)', 42),
  refused('a list with nothing in it', 'tags.line IN []', 43),
  refused('a member in a list', 'tags.line IN [tags.line]', 43),
  refused('CONTAINS', "CONTAINS(tags.depot,'ay')", 29),
  refused('another statement', "tags.depot = 'a' ; DROP", 46),
  refused('two equals signs', 'tags.line == 7', 39),
  refused('a comparison of three', '1 < tags.line < 9', 43),
  refused('an aggregate', 'COUNT() > 1', 29),
  refused('a function of a text in quotes', "IS_DEFINED('tags.depot')", 40),
  refused('too few operands', "STARTSWITH('a')", 29),
  refused('an apostrophe by two', "tags.driver = 'd''arcy'", 46),
  refused('an escape that there is none of', "tags.depot = '\\n'", 43),
  refused('half of a character', "tags.depot = '\\ud83d'", 42),
  refused('a condition beside that of all devices', 'tags.line = 7 OR *', 46),
  refused('a parenthesis that stays open', '(tags.line = 7', 43),
  refused('an operator without its right side', 'tags.line =', 40),
  refused('two conditions side by side', 'tags.line = 7 tags.spare', 43),
  refused('a comment without an end', 'tags.line = 7 /* or 9', 43),
]

function selects(point: string, condition: string, ids: readonly string[]): QueryCase {
  return { point, condition, selects: ids, isOfQueries: false }
}

function ofQueries(point: string, condition: string, ids: readonly string[]): QueryCase {
  return { ...selects(point, condition, ids), isOfQueries: true }
}

function refused(point: string, condition: string, column: number): RefusedCase {
  return { point, condition, column }
}
